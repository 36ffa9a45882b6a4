import { isUtf8 } from "node:buffer";
import { resolve } from "node:path";
import { CattlegridError } from "../../errors/error.ts";
import type { SecretReference, SecretSet } from "../../protocol/secret.ts";
import { SECRET_BYTES_MAX } from "../../protocol/secret-limits.ts";
import { usage } from "../arguments.ts";
import { canAsk, type Caller } from "../caller.ts";

export interface SourceFlags {
  "from-env": string | undefined;
  "from-file": string | undefined;
  "from-command": string | undefined;
  input: boolean | undefined;
}

/** What is to be kept: a reference that a flag names, else a value that is asked for or read from standard input. */
export async function readSource(
  name: string,
  flags: SourceFlags,
  caller: Caller,
): Promise<SecretSet> {
  const reference = readReference(flags, caller);
  if (reference !== undefined) return { reference };
  if (canAsk(caller) && flags.input !== false) return { value: await askValue(name, caller) };
  if (caller.input.isTTY) {
    throw usage("secret", "There is no terminal to ask for the value; give it on standard input.");
  }
  return { value: await readValue(caller) };
}

function readReference(flags: SourceFlags, { directory }: Caller): SecretReference | undefined {
  const { "from-env": variable, "from-file": file, "from-command": command } = flags;
  const given = [variable, file, command].filter((each) => each !== undefined);
  if (given.length > 1)
    throw usage("secret", "--from-env, --from-file and --from-command exclude each other.");
  if (variable !== undefined) return { kind: "environment", variable };
  if (file !== undefined) return { kind: "file", path: resolve(directory, file) };
  return command === undefined ? undefined : { kind: "command", command };
}

/** SECURITY: asked for without being shown, and on standard error, which no pipe of data carries. */
async function askValue(name: string, caller: Caller): Promise<string> {
  const { isCancel, password } = await import("@clack/prompts");
  const { input, errors: output } = caller;
  const value = await password({ message: `Value of ${name} (not shown)`, input, output });
  if (isCancel(value)) throw new CattlegridError("INTERRUPTED", "Nothing was kept.");
  return value;
}

/** A line feed at the end is the shell's, and no part of the value. */
async function readValue({ input }: Caller): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  // A refusal is no failure of the stream, which leaving the loop would destroy.
  for await (const chunk of input.iterator({ destroyOnReturn: false })) {
    length += (chunk as Buffer).length;
    if (length > SECRET_BYTES_MAX + 2) {
      const message = `The value on standard input has more than ${SECRET_BYTES_MAX} bytes.`;
      throw new CattlegridError("SECRET_INVALID", message);
    }
    chunks.push(chunk as Buffer);
  }
  const bytes = Buffer.concat(chunks);
  if (isUtf8(bytes)) return bytes.toString("utf8").replace(/\r?\n$/, "");
  throw new CattlegridError("SECRET_INVALID", "The value on standard input is not UTF-8 text.");
}
