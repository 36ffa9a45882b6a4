import { readFile, stat } from "node:fs/promises";
import { CattlegridError } from "../errors/error.ts";
import { readEnvironment } from "../platform/environment.ts";
import { spawnProcess } from "../platform/process.ts";
import { type SecretReference, type Unresolved, unresolvedSchema } from "../protocol/secret.ts";
import { SECRET_BYTES_MAX } from "../protocol/secret-limits.ts";

const COMMAND_TIMEOUT_MS = 120_000;

export interface FollowOptions {
  /** Of the caller. Default: this process's. */
  environment?: Readonly<Record<string, string | undefined>>;
  /** Whether a command may ask the person at the terminal. Default false. */
  asks?: boolean;
  signal?: AbortSignal;
}

/**
 * Gets what a request was refused for with SECRET_UNRESOLVED: the values by variable, to be sent as its `secrets`. Another
 * error is thrown again. Throws SECRET_UNRESOLVED when a reference leads to nothing, and repeats nothing of a value.
 * SECURITY: only the caller's own daemon may be asked so, since what it names is read and run here.
 */
export async function followReferences(
  error: unknown,
  options: FollowOptions = {},
): Promise<Record<string, string>> {
  if (!CattlegridError.is(error, "SECRET_UNRESOLVED")) throw error;
  const { references } = unresolvedSchema.parse(error.details);
  const values: Record<string, string> = {};
  for (const wanted of references) values[wanted.variable] = await follow(wanted, options);
  return values;
}

async function follow({ secret, reference }: Unresolved, options: FollowOptions): Promise<string> {
  const refuse = (why: string): CattlegridError =>
    new CattlegridError("SECRET_UNRESOLVED", `The secret ${secret} cannot be got: ${why}.`, {
      hint: "Put right what it refers to, or give another with `cattlegrid secret set`.",
    });
  const text = await read(reference, options, refuse);
  const value = text.replace(/\r?\n$/, "");
  if (value === "") throw refuse("it is empty");
  if (value.includes("\0")) throw refuse("it is not text");
  if (Buffer.byteLength(value) > SECRET_BYTES_MAX) {
    throw refuse(`it has more than ${SECRET_BYTES_MAX} bytes`);
  }
  return value;
}

type Refuse = (why: string) => CattlegridError;

async function read(
  reference: SecretReference,
  options: FollowOptions,
  refuse: Refuse,
): Promise<string> {
  switch (reference.kind) {
    case "environment": {
      const value = (options.environment ?? readEnvironment())[reference.variable];
      if (value !== undefined) return value;
      throw refuse(`${reference.variable} is not set in this shell`);
    }
    case "file":
      return readSecretFile(reference.path, refuse);
    case "command":
      return runSecretCommand(reference.command, options, refuse);
  }
}

async function readSecretFile(path: string, refuse: Refuse): Promise<string> {
  try {
    const found = await stat(path);
    if (!found.isFile()) throw refuse(`${path} is no regular file`);
    if (found.size > SECRET_BYTES_MAX + 2) throw refuse(`${path} is too large`);
    return await readFile(path, "utf8");
  } catch (error) {
    if (CattlegridError.is(error)) throw error;
    const { code } = error as NodeJS.ErrnoException;
    throw refuse(code === "ENOENT" ? `${path} does not exist` : `${path} cannot be read`);
  }
}

/** SECURITY: the user's own words, run as the user and in the user's shell; what it prints is kept nowhere. */
async function runSecretCommand(
  command: string,
  { environment, asks = false, signal: given }: FollowOptions,
  refuse: Refuse,
): Promise<string> {
  const deadline = AbortSignal.timeout(COMMAND_TIMEOUT_MS);
  const signal = given === undefined ? deadline : AbortSignal.any([given, deadline]);
  const own = Object.entries(environment ?? readEnvironment());
  const known = own.filter((entry): entry is [string, string] => entry[1] !== undefined);
  const child = spawnProcess(["/bin/sh", "-c", command], {
    environment: Object.fromEntries(known),
    stdio: [asks ? "inherit" : "ignore", "pipe", "inherit"],
    signal,
  });
  const chunks: Buffer[] = [];
  let bytes = 0;
  const end = (): void => {
    child.kill("SIGKILL");
    // What the shell started may live on: with nobody to read it, it is neither waited for nor heard.
    child.stdout?.destroy();
  };
  child.stdout?.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > 2 * SECRET_BYTES_MAX) end();
    else chunks.push(chunk);
  });
  const { promise, resolve, reject } = Promise.withResolvers<number | null>();
  child.once("error", reject);
  child.once("close", (code) => resolve(code));
  try {
    const code = await promise;
    if (bytes > 2 * SECRET_BYTES_MAX) throw refuse("its command prints too much");
    if (code === 0) return Buffer.concat(chunks).toString("utf8");
    throw refuse(code === null ? "its command was ended" : `its command ended with ${code}`);
  } catch (error) {
    end();
    given?.throwIfAborted();
    if (deadline.aborted) throw refuse("its command took too long");
    throw error;
  }
}
