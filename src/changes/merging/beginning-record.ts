import { createHash } from "node:crypto";
import { readGit, runGit } from "../../platform/git.ts";
import { createPace, type Pace } from "../../platform/pace.ts";
import type { ChangeRecords } from "../journal.ts";
import { TEXT_BYTES_MAX, toText } from "../text.ts";
import { Tree } from "../tree.ts";

/** Larger repositories are not gone through: their conflicts are shown and not merged. */
const FILES_MAX = 200_000;
/** Of texts that the user's repository does not hold, as they are new or not committed. */
const KEPT_BYTES_MAX = 64 * 1024 * 1024;
/** Of files that git cannot read, before it is given up. */
const SKIPPED_MAX = 100;

export interface BaseText {
  mode: number;
  text: string;
}

interface Recording {
  workspace: string;
  begunAtNs: bigint;
  records: ChangeRecords;
  signal: AbortSignal;
}

/**
 * Notes what each file held when the sandbox began, so that it can be merged when both sides change it: by name where the user's
 * git repository has the content, else by a copy. Files that changed since are left out, and so are those that git ignores. Of a
 * workspace that is no git repository nothing is known.
 * SECURITY: contents are hashed anew. What a repository's index says of them may have come from an agent.
 */
export async function recordBeginning(recording: Recording): Promise<void> {
  const { workspace, begunAtNs, records, signal } = recording;
  if (records.readBeginning()?.begunAtNs === String(begunAtNs)) return;
  using opened = new DisposableStack();
  const host = opened.adopt(new Tree(workspace), (tree) => tree.close());
  const pace = createPace(signal);
  const isUnchanged = (path: string): boolean => {
    const entry = host.look(path);
    return entry?.kind === "file" && entry.changedAtNs <= begunAtNs && entry.size <= TEXT_BYTES_MAX;
  };
  const paths = await filter(await listFiles(workspace, signal), isUnchanged, pace);
  const objects = await hashFiles(recording, paths);
  const absent = await findAbsent(recording, [...new Set(objects.values())]);
  const files: Record<string, string> = {};
  let room = KEPT_BYTES_MAX;
  for (const [path, object] of objects) {
    await pace.next();
    const content = absent.has(object) ? host.read(path, Math.min(room, TEXT_BYTES_MAX)) : null;
    const mode = ((host.look(path)?.mode ?? 0) & 0o777).toString(8);
    if (content === null) files[path] = `${mode} git ${object}`;
    else if (toText(content) !== undefined && content !== undefined) {
      room -= content.length;
      files[path] = `${mode} text ${records.texts.put(content)}`;
    }
  }
  // Looked at once more after it was read: what has not changed by now had not when it was read.
  const sure = new Set(await filter(Object.keys(files), isUnchanged, pace));
  const kept = Object.entries(files).filter(([path]) => sure.has(path));
  records.writeBeginning({
    version: 1,
    begunAtNs: String(begunAtNs),
    files: Object.fromEntries(kept),
  });
}

/** What the file held when the sandbox began; undefined when that is not known. */
export async function readBeginningOf(
  path: string,
  { workspace, begunAtNs, records, signal }: Recording,
): Promise<BaseText | undefined> {
  const beginning = records.readBeginning();
  if (beginning?.begunAtNs !== String(begunAtNs)) return undefined;
  const [mode = "", kind, name = ""] = (beginning.files[path] ?? "").split(" ");
  if (name === "") return undefined;
  const content =
    kind === "text" ? records.texts.get(name) : await readObject(workspace, name, signal);
  const text = toText(content);
  return text === undefined ? undefined : { mode: Number.parseInt(mode, 8), text };
}

async function filter(
  paths: readonly string[],
  isWanted: (path: string) => boolean,
  pace: Pace,
): Promise<readonly string[]> {
  const wanted: string[] = [];
  for (const path of paths) {
    await pace.next();
    if (isWanted(path)) wanted.push(path);
  }
  return wanted;
}

async function listFiles(repository: string, signal: AbortSignal): Promise<readonly string[]> {
  const args = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
  const { code, stdout } = await runGit({ repository, args, signal });
  const names = code === 0 ? stdout.split("\0").filter((name) => name !== "") : [];
  // Names are given to git one a line.
  return names.length > FILES_MAX ? [] : names.filter((name) => !/\n|^"/.test(name));
}

/** The git object that each file is, whether or not there is one. */
async function hashFiles(
  { workspace, signal }: Recording,
  paths: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const objects = new Map<string, string>();
  let rest = paths;
  for (let skipped = 0; rest.length > 0 && skipped < SKIPPED_MAX; skipped += 1) {
    const args = ["hash-object", "--no-filters", "--stdin-paths"];
    const input = rest.map((path) => `${path}\n`).join("");
    const { stdout } = await runGit({ repository: workspace, args, input, signal });
    const names = stdout.split("\n").slice(0, -1);
    for (const [index, name] of names.entries()) objects.set(rest[index] ?? "", name);
    // It ends at the first file that is gone or may not be read.
    rest = rest.slice(names.length + 1);
  }
  return objects;
}

async function findAbsent(
  { workspace, signal }: Recording,
  objects: readonly string[],
): Promise<ReadonlySet<string>> {
  const args = ["cat-file", "--batch-check=%(objectname)"];
  const input = objects.map((object) => `${object}\n`).join("");
  const { stdout } = await runGit({ repository: workspace, args, input, signal });
  const found = new Set(stdout.split("\n"));
  return new Set(objects.filter((object) => !found.has(object)));
}

/** SECURITY: hashed, as an object in a repository may have come from an agent, and git does not compare it with its name. */
async function readObject(
  repository: string,
  object: string,
  signal: AbortSignal,
): Promise<Buffer | undefined> {
  const { code, stdout } = await readGit({
    repository,
    args: ["cat-file", "blob", object],
    signal,
  });
  if (code !== 0) return undefined;
  const hash = createHash(object.length === 40 ? "sha1" : "sha256");
  const actual = hash.update(`blob ${stdout.length}\0`).update(stdout).digest("hex");
  return actual === object ? stdout : undefined;
}
