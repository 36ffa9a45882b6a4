import { CattlegridError } from "../../errors/error.ts";
import type { Sandbox } from "../../protocol/sandbox.ts";
import { parseCount, parseMemory } from "../creation/amount.ts";
import { sandboxPath } from "../api.ts";
import { type Flags, type FlagValues, usage } from "../arguments.ts";
import { tell } from "../caller.ts";
import { watchCopy } from "../copy/copy-progress.ts";
import { type CopyPlace, readPlace } from "../copy/place.ts";
import { Tally } from "../copy/tally.ts";
import { JSON_FLAG } from "../creation/creation-flags.ts";
import { makeOneLine } from "../output/error-text.ts";
import { defineVerb, type VerbContext } from "../verb.ts";

/** As cp(1): some of it was not copied, and stderr says what. */
const EXIT_LEFT_OUT = 1;
const LEFT_OUT_SHOWN_MAX = 20;
const BYTES_MAX = "16g";
const FILES_MAX = "1000000";

const FLAGS = {
  force: { kind: "switch", short: "f", help: "let the copy take the place of what is there" },
  "max-size": {
    kind: "text",
    value: "SIZE",
    help: `refuse to copy more than this; default: ${BYTES_MAX}`,
  },
  "max-files": {
    kind: "text",
    value: "N",
    help: `refuse to copy more files and directories than this; default: ${FILES_MAX}`,
  },
  ...JSON_FLAG,
} as const satisfies Flags;

export const CP = defineVerb({
  verb: "cp",
  usage: "[FLAGS] NAME:PATH LOCAL|-\n       cattlegrid cp [FLAGS] LOCAL|- NAME:PATH",
  description:
    "Copies a file or directory out of a running sandbox or into one. PATH may begin with ~/; a relative one begins at the\n" +
    "workspace. An existing directory takes the copy in; `DIRECTORY/.` copies what is in it. `-` is a tar stream. No link is\n" +
    "followed. Links that lead out of what is copied, devices and pipes are left out, and the exit status is then 1.",
  example: "cattlegrid cp my-sandbox:~/report.html .",
  operands: { min: 2, max: 2, names: "a source and a target", suggest: ["place"] },
  trailing: "none",
  flags: FLAGS,
  async run({ flags, operands: [source = "", target = ""] }, context) {
    const places = { source: readPlace(source), target: readPlace(target) };
    const limits = {
      bytesMax: parseMemory(flags["max-size"] ?? BYTES_MAX, "--max-size"),
      entriesMax: parseCount(flags["max-files"] ?? FILES_MAX, "--max-files"),
    };
    const tally = new Tally(limits);
    {
      using _progress = watchCopy(context.caller, tally);
      await copy(places, { tally, replaces: flags.force === true }, context);
    }
    const isQuiet = places.target.kind === "stream";
    return report({ tally, flags, target, isQuiet }, context);
  },
});

interface CopyParts {
  tally: Tally;
  replaces: boolean;
}

async function copy(
  { source, target }: { source: CopyPlace; target: CopyPlace },
  parts: CopyParts,
  context: VerbContext,
): Promise<void> {
  if (source.kind === "sandbox" && target.kind !== "sandbox") {
    const sandbox = await findRunning(source.name, context);
    const { copyOut } = await import("../copy/copy-out.ts");
    const path = target.kind === "host" ? target.path : undefined;
    return copyOut({ sandbox, path: source.path, target: path, ...parts }, context);
  }
  if (target.kind === "sandbox" && source.kind !== "sandbox") {
    const sandbox = await findRunning(target.name, context);
    const { copyIn } = await import("../copy/copy-in.ts");
    const path = source.kind === "host" ? source.path : undefined;
    return copyIn({ sandbox, source: path, path: target.path, ...parts }, context);
  }
  throw usage("cp", "One side must be NAME:PATH in a sandbox, and the other not.");
}

async function findRunning(
  name: string,
  { api }: VerbContext,
): Promise<{ id: string; name: string; workspace: string | undefined }> {
  const sandbox = await api.get<Sandbox>(sandboxPath(name));
  if (sandbox.status === "running") {
    return { id: sandbox.id, name: sandbox.name, workspace: sandbox.workspace?.path };
  }
  const message = `The sandbox ${sandbox.name} is ${sandbox.status}.`;
  throw new CattlegridError("SANDBOX_NOT_RUNNING", message, {
    hint: `Start it with \`cattlegrid start ${sandbox.name}\`.`,
  });
}

interface Report {
  tally: Tally;
  flags: FlagValues<typeof FLAGS>;
  target: string;
  isQuiet: boolean;
}

function report({ tally, flags, target, isQuiet }: Report, { caller }: VerbContext): number {
  const { files, bytes, leftOut, leftOutCount } = tally;
  for (const { name, why } of leftOut.slice(0, LEFT_OUT_SHOWN_MAX)) {
    tell(caller, `cattlegrid: left out ${makeOneLine(name)}: ${makeOneLine(why)}.`);
  }
  const hidden = leftOutCount - Math.min(leftOut.length, LEFT_OUT_SHOWN_MAX);
  if (hidden > 0) tell(caller, `cattlegrid: left out ${hidden} more.`);
  if (flags.json && !isQuiet) {
    caller.output.write(
      `${JSON.stringify({ files, bytes, leftOutCount, leftOut }, undefined, 2)}\n`,
    );
  } else {
    const amount = `${files} ${files === 1 ? "file" : "files"}, ${bytes} bytes`;
    const where = isQuiet ? "" : ` to ${makeOneLine(target)}`;
    tell(caller, `cattlegrid: copied ${amount}${where}.`);
  }
  return leftOutCount === 0 ? 0 : EXIT_LEFT_OUT;
}
