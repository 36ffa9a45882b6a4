import type { KeptSignIn } from "../agent/agent.ts";
import { CattlegridError } from "../errors/error.ts";
import { readTar } from "../platform/tar/tar-reader.ts";
import { endEntry, endTar, writeHeader } from "../platform/tar/tar-writer.ts";
import { exportFiles, importFiles } from "../sandbox/making/carried-files.ts";
import type { RunningSandbox } from "../sandbox/provider.ts";
import type { SignInFiles } from "./bundle.ts";
import { describeReplacement } from "./database.ts";
import { readDatabase } from "./database-reader.ts";
import { decodeFiles, type StoredSignIn } from "./stored-sign-in.ts";

const EXIT_ABSENT = 3;
const PYTHON =
  "import sqlite3,sys; c=sqlite3.connect(sys.argv[1],timeout=20,isolation_level=None); c.executescript(sys.stdin.read())";
const NODE =
  'const d=new(require("node:sqlite").DatabaseSync)(process.argv[1],{timeout:20000});d.exec(require("node:fs").readFileSync(0,"utf8"))';

/**
 * SECURITY: constant texts; the path is an adapter's and arrives as an argument, what is to be written comes by standard
 * input, so that no command line inside shows it.
 */
const REPLACE_SCRIPT = `cd || exit 1
[ -f "$1" ] || exit ${EXIT_ABSENT}
if command -v sqlite3 >/dev/null; then exec sqlite3 -batch -bail -init /dev/null -cmd '.timeout 20000' "$1"; fi
for python in /usr/bin/python3 python3; do
  if "$python" -I -c 'import sqlite3' 2>/dev/null; then exec "$python" -I -c '${PYTHON}' "$1"; fi
done
exec node -e '${NODE}' "$1"`;
const IS_OPEN_SCRIPT = `cd || exit 1
path=$(readlink -f -- "$1")
for fd in /proc/[0-9]*/fd/*; do [ "$(readlink -- "$fd")" != "$path" ] || exit 0; done
exit 1`;
const REMOVE_SCRIPT = 'cd && exec rm -f -- "$@"';

/** A running sandbox, and the agent whose sign-in it has or gets. */
export interface SignInTarget {
  running: RunningSandbox;
  kept: KeptSignIn;
  signal: AbortSignal;
}

/** The sign-in's files as they are inside; only plain ones of exactly these names come out. */
export async function readSignIn({ running, kept, signal }: SignInTarget): Promise<SignInFiles> {
  const tar = await exportFiles(running, pathsOf(kept), signal);
  const files = new Map<string, Buffer>();
  if (tar === undefined) return files;
  for await (const { entry, content } of readTar(only(tar))) {
    const parts: Buffer[] = [];
    for await (const part of content) parts.push(Buffer.from(part));
    files.set(entry.name.slice(kept.directory.length + 1), Buffer.concat(parts));
  }
  return files;
}

/** Writes files as they are into a home that has none of them, or in their place. */
export async function writeSignIn(target: SignInTarget, files: SignInFiles): Promise<void> {
  const { running, kept, signal } = target;
  const parts = [...files].flatMap(([path, bytes]) => {
    const name = `${kept.directory}/${path}`;
    const facts = { mode: 0o600, sizeBytes: bytes.length, modifiedSeconds: 0, target: "" };
    return [writeHeader({ name, type: "file", ...facts }), bytes, endEntry(bytes.length)];
  });
  await importFiles(running, Buffer.concat([...parts, endTar()]), signal);
}

/**
 * Gives a sandbox its copy of a sign-in, also while its agent runs: of a database only the sign-in's rows are changed,
 * by SQLite inside. False when a program has it open and nothing inside could change it.
 */
export async function lendSignIn(target: SignInTarget, stored: StoredSignIn): Promise<boolean> {
  const { database } = target.kept;
  const lent = decodeFiles(stored.lent);
  if (database === undefined) {
    await writeSignIn(target, lent);
    return true;
  }
  const values = stored.lentValues ?? {};
  const code = await replaceRows(target, describeReplacement(database, values));
  if (code === 0) return true;
  if (code === EXIT_ABSENT) {
    await writeSignIn(target, lent);
    return true;
  }
  if (await isOpen(target)) return false;
  await writeSignIn(target, await mergeInto(target, stored));
  return true;
}

/** Takes a copy out of a sandbox again; all else of it stays. */
export async function removeSignIn(target: SignInTarget): Promise<void> {
  const { running, kept, signal } = target;
  if (kept.database !== undefined) {
    const code = await replaceRows(target, describeReplacement(kept.database, {}));
    if (code === 0 || code === EXIT_ABSENT) return;
  }
  await execute(running, { argv: ["sh", "-c", REMOVE_SCRIPT, "sh", ...pathsOf(kept)] }, signal);
}

/** Whether the sandbox has a sign-in's first file, whatever is in it. */
export async function hasSignIn({ running, kept, signal }: SignInTarget): Promise<boolean> {
  const [path = ""] = pathsOf(kept);
  const argv = ["sh", "-c", 'cd && [ -f "$1" ]', "sh", path];
  return (await execute(running, { argv }, signal)) === 0;
}

/** What a home has, with the sign-in's rows in it: for where nothing inside can change a database. */
async function mergeInto(target: SignInTarget, stored: StoredSignIn): Promise<SignInFiles> {
  const [name = ""] = target.kept.files;
  const { database: description } = target.kept;
  const own = await readSignIn(target);
  const database = own.get(name);
  const log = own.get(`${name}-wal`);
  if (database === undefined || description === undefined) return decodeFiles(stored.lent);
  try {
    const task = { database, ...(log && { log }), description, distils: false };
    const { bytes } = await readDatabase({ ...task, values: stored.lentValues ?? {} });
    // An empty log says nothing; the old one would be laid over what is new.
    return new Map([
      [name, Buffer.from(bytes)],
      [`${name}-wal`, Buffer.alloc(0)],
    ]);
  } catch (error) {
    if (!CattlegridError.is(error, "SIGN_IN_INVALID")) throw error;
    return decodeFiles(stored.lent);
  }
}

function replaceRows({ running, kept, signal }: SignInTarget, sql: string): Promise<number> {
  const [path = ""] = pathsOf(kept);
  const argv = ["sh", "-c", REPLACE_SCRIPT, "sh", path];
  return execute(running, { argv, inputBytes: Buffer.from(`${sql}\n`) }, signal);
}

async function isOpen({ running, kept, signal }: SignInTarget): Promise<boolean> {
  const [path = ""] = pathsOf(kept);
  return (await execute(running, { argv: ["sh", "-c", IS_OPEN_SCRIPT, "sh", path] }, signal)) === 0;
}

async function execute(
  running: RunningSandbox,
  request: { argv: readonly string[]; inputBytes?: Buffer },
  signal: AbortSignal,
): Promise<number> {
  const process = await running.exec({ argv: request.argv }, signal);
  try {
    process.input.on("error", () => process.input.destroy());
    process.input.end(request.inputBytes ?? "");
    process.output.resume();
    process.errors?.resume();
    const ending = await process.ended;
    return ending.kind === "lost" ? 1 : ending.code;
  } finally {
    await process.kill();
  }
}

function pathsOf({ directory, files }: KeptSignIn): readonly string[] {
  return files.map((file) => `${directory}/${file}`);
}

async function* only(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}
