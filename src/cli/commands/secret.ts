import type { SecretList } from "../../protocol/secret.ts";
import { parseChoice } from "../creation/amount.ts";
import { type Flags, type FlagValues, usage } from "../arguments.ts";
import { tell } from "../caller.ts";
import { INPUT_FLAG, JSON_FLAG } from "../creation/creation-flags.ts";
import { describeKey, renderSecrets } from "../secret/secret-text.ts";
import { defineVerb, type VerbContext } from "../verb.ts";

const WORDS = ["ls", "set", "rm", "import", "bind", "unbind", "rotate"] as const;

const FLAGS = {
  for: {
    kind: "list",
    value: "AGENT",
    suggest: ["agent"],
    help: "with set, import, bind, unbind: the agent that is given it; repeatable",
  },
  as: {
    kind: "text",
    value: "VARIABLE",
    help: "with set, bind, unbind: the variable that holds it inside; default: the agent's own",
  },
  "from-env": {
    kind: "text",
    value: "VARIABLE",
    help: "with set: keep no value, but take this variable of the calling shell at each use",
  },
  "from-file": {
    kind: "text",
    value: "FILE",
    suggest: ["file"],
    help: "with set: keep no value, but read this file at each use",
  },
  "from-command": {
    kind: "text",
    value: "COMMAND",
    help: "with set: keep no value, but run this at each use and take what it prints",
  },
  "key-in": {
    kind: "text",
    value: "keyring|file",
    suggest: [["keyring", "file"]],
    help: "with rotate: where the new key is kept; default: the keyring where one answers",
  },
  ...JSON_FLAG,
  ...INPUT_FLAG,
} as const satisfies Flags;

type SecretFlags = FlagValues<typeof FLAGS>;

interface Wish {
  flags: SecretFlags;
  names: readonly string[];
}

export const SECRET = defineVerb({
  verb: "secret",
  usage:
    "[ls]\n       cattlegrid secret set NAME [--for AGENT] [--as VARIABLE] [--from-env|--from-file|--from-command …]\n" +
    "       cattlegrid secret bind|unbind NAME [--for AGENT] [--as VARIABLE]\n" +
    "       cattlegrid secret rm NAME... | import FILE | rotate",
  description:
    "Keeps secrets in the vault, encrypted, and gives them to agents. A value is asked for or read from standard input, and\n" +
    "never shown again. A secret named as a variable that an agent takes its key from goes to that agent by itself; every\n" +
    "`run` and `chat` then has it without a flag. `import` keeps each NAME=VALUE line of a file.",
  example: "cattlegrid secret set MY_API_KEY --for AGENT < key.txt",
  operands: { min: 0, max: Infinity, names: WORDS.join(", "), suggest: [WORDS, "secret"] },
  trailing: "none",
  flags: FLAGS,
  async run({ flags, operands: [word = "ls", ...names] }, context) {
    const wish = { flags, names };
    switch (parseChoice(word, "secret", WORDS)) {
      case "ls":
        return list(wish, context);
      case "set":
        return set(wish, context);
      case "rm":
        return remove(wish, context);
      case "import":
        return importFile(wish, context);
      case "bind":
        return bind(wish, context);
      case "unbind":
        return unbind(wish, context);
      case "rotate":
        return rotate(wish, context);
    }
  },
});

async function list({ flags, names }: Wish, { api, caller }: VerbContext): Promise<number> {
  if (names.length > 0) throw usage("secret", "`secret ls` takes no name.");
  const found = await api.get<SecretList>("/v1/secrets");
  if (flags.json) caller.output.write(`${JSON.stringify(found, undefined, 2)}\n`);
  else {
    if (found.secrets.length === 0) tell(caller, "The vault holds no secret.");
    else caller.output.write(renderSecrets(found.secrets));
    tell(caller, describeKey(found.key));
  }
  return 0;
}

async function set({ flags, names }: Wish, context: VerbContext): Promise<number> {
  const [name, ...rest] = names;
  if (name === undefined) throw usage("secret", "`secret set` needs the name of a secret.");
  // SECURITY: what stands here is most likely the value, so it is not repeated.
  if (rest.length > 0) {
    const message =
      "A value never stands on the command line, where others and your history see it.";
    throw usage("secret", `${message} Leave it out to be asked, or give it on standard input.`);
  }
  const { keepSecret } = await import("../secret/changes.ts");
  const { readSource } = await import("../secret/value-input.ts");
  const source = await readSource(name, flags, context.caller);
  const secret = await keepSecret({ name, agents: flags.for, variable: flags.as }, source, context);
  if (flags.json) context.caller.output.write(`${JSON.stringify(secret, undefined, 2)}\n`);
  return 0;
}

async function remove({ names }: Wish, context: VerbContext): Promise<number> {
  if (names.length === 0) throw usage("secret", "`secret rm` needs the name of a secret.");
  const { removeSecrets } = await import("../secret/changes.ts");
  return removeSecrets(names, context);
}

async function importFile({ flags, names }: Wish, context: VerbContext): Promise<number> {
  const [file, ...rest] = names;
  if (file === undefined || rest.length > 0)
    throw usage("secret", "`secret import` needs one file.");
  const { importSecrets } = await import("../secret/import.ts");
  return importSecrets(file, flags.for, context);
}

async function bind({ flags, names }: Wish, context: VerbContext): Promise<number> {
  const name = requireOne("bind", names);
  const { bindSecret } = await import("../secret/changes.ts");
  const secret = await bindSecret({ name, agents: flags.for, variable: flags.as }, context);
  if (flags.json) context.caller.output.write(`${JSON.stringify(secret, undefined, 2)}\n`);
  return 0;
}

async function unbind({ flags, names }: Wish, context: VerbContext): Promise<number> {
  const name = requireOne("unbind", names);
  const { unbindSecret } = await import("../secret/changes.ts");
  return unbindSecret({ name, agents: flags.for, variable: flags.as }, context);
}

async function rotate({ flags, names }: Wish, context: VerbContext): Promise<number> {
  if (names.length > 0) throw usage("secret", "`secret rotate` takes no name.");
  const { "key-in": keyIn } = flags;
  const place =
    keyIn === undefined ? undefined : parseChoice(keyIn, "--key-in", ["keyring", "file"]);
  const { rotateVault } = await import("../secret/changes.ts");
  const rotated = await rotateVault(place, context);
  if (flags.json) context.caller.output.write(`${JSON.stringify(rotated, undefined, 2)}\n`);
  return rotated.left.length === 0 ? 0 : 1;
}

function requireOne(word: string, names: readonly string[]): string {
  const [name, ...rest] = names;
  if (name !== undefined && rest.length === 0) return name;
  throw usage("secret", `\`secret ${word}\` needs the name of one secret.`);
}
