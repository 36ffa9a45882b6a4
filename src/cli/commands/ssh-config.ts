import { userInfo } from "node:os";
import { join, resolve } from "node:path";
import { CattlegridError } from "../../errors/error.ts";
import { rewriteUserFile, toByteText } from "../../platform/user-file.ts";
import { SANDBOX_NAME } from "../../protocol/sandbox.ts";
import { usage } from "../arguments.ts";
import { type Caller, tell, write } from "../caller.ts";
import { readClientVersion } from "../ssh/client-version.ts";
import { addBlock, removeBlock, renderConfiguration } from "../ssh/client-configuration.ts";
import { defineVerb } from "../verb.ts";

const PROGRAM = join(import.meta.dirname, "../../../bin/cattlegrid");

export const SSH_CONFIG = defineVerb({
  verb: "ssh-config",
  usage: "[--install | --remove] [--file FILE] [NAME...]",
  description:
    "Prints what OpenSSH's configuration needs, so that `ssh NAME.cattlegrid`, scp, sftp, rsync and editors lead into sandboxes.\n" +
    "--install puts it at the beginning of ~/.ssh/config, between two lines that mark it, and --remove takes it out again.\n" +
    "Every name below .cattlegrid is meant; those given are written out too, for editors and shells that list hosts.",
  example: "cattlegrid ssh-config --install",
  operands: { min: 0, max: 64, names: "names of sandboxes", suggest: ["sandbox"] },
  trailing: "none",
  flags: {
    install: { kind: "switch", help: "write it into the configuration, or bring it up to date" },
    remove: { kind: "switch", help: "take it out of the configuration" },
    file: {
      kind: "text",
      value: "FILE",
      help: "another configuration than ~/.ssh/config",
      suggest: ["file"],
    },
  },
  async run({ flags, operands }, { caller }) {
    const { install = false, remove = false } = flags;
    if (install && remove) throw usage("ssh-config", "--install and --remove exclude each other.");
    if (!install && !remove) {
      await write(caller.output, await describe(operands, caller));
      return 0;
    }
    const file = findFile(flags.file, caller);
    const block = install ? toByteText(await describe(operands, caller)) : "";
    const isChanged = rewriteUserFile(file, (text) =>
      install ? addBlock(text, block) : removeBlock(text),
    );
    tell(caller, `cattlegrid: ${file} ${explain({ install, isChanged })}.`);
    return 0;
  },
});

async function describe(operands: readonly string[], { environment }: Caller): Promise<string> {
  const names = operands.map((name) => name.replace(/\.cattlegrid$/, ""));
  const wrong = names.find((name) => !SANDBOX_NAME.test(name));
  if (wrong !== undefined) {
    throw new CattlegridError("NAME_INVALID", `${JSON.stringify(wrong)} cannot be a name.`);
  }
  const home = environment["CATTLEGRID_HOME"] || undefined;
  const version = await readClientVersion();
  const words = { program: resolve(PROGRAM), names, version };
  const text = renderConfiguration(home === undefined ? words : { ...words, home: resolve(home) });
  if (!/[\r\n]/.test(`${words.program}${home ?? ""}`)) return text;
  throw new CattlegridError(
    "CONFIG_INVALID",
    "OpenSSH cannot name a path with a line break in it.",
    {
      hint: "Install Cattlegrid, or point CATTLEGRID_HOME, where the path has none.",
    },
  );
}

/** OpenSSH looks where the system's user records say, whatever HOME is. */
function findFile(chosen: string | undefined, { directory }: Caller): string {
  return chosen === undefined
    ? join(userInfo().homedir, ".ssh", "config")
    : resolve(directory, chosen);
}

function explain({ install, isChanged }: { install: boolean; isChanged: boolean }): string {
  if (install) return isChanged ? "leads to sandboxes: `ssh NAME.cattlegrid`" : "is up to date";
  return isChanged ? "says nothing of Cattlegrid any more" : "said nothing of Cattlegrid";
}
