import type { Change, EntryState } from "../../airlock/change.ts";
import { askGit, readGit, type GitRequest } from "../../platform/git.ts";

/** Texts that are read to be judged: each up to this, and all together. */
const TEXT_BYTES_MAX = 2 ** 20;
const ALL_TEXT_BYTES_MAX = 64 * 2 ** 20;

export interface CommitChange extends Change {
  /** The object of the new state; undefined for what is gone. */
  object?: string;
  /** The path is a submodule, before or after. */
  isSubmodule: boolean;
}

type Where = Pick<GitRequest, "repository" | "objects" | "signal">;

interface RawEntry {
  path: string;
  modes: readonly [string, string];
  objects: readonly [string, string];
}

/** What differs between two commits, with the text of each changed file. Nothing of the repository's is run for it. */
export async function readCommitChanges(
  where: Where,
  from: string,
  to: string,
): Promise<readonly CommitChange[]> {
  const args = ["diff-tree", "-r", "-z", "--raw", "--no-renames", "--no-abbrev", from, to];
  const entries = parseRaw(await askGit({ ...where, args }));
  const wanted = entries.flatMap(({ modes, objects }) =>
    objects.filter((_, index) => isBlob(modes[index])),
  );
  const contents = await readBlobs(where, wanted);
  return entries.map(({ path, modes, objects }) => {
    const [before, after] = [0, 1].map((index) =>
      describe(modes[index] ?? "", contents.get(objects[index] ?? "")),
    );
    return {
      path,
      ...(before === undefined ? {} : { before }),
      ...(after === undefined ? {} : { after, object: objects[1] }),
      isSubmodule: modes.includes("160000"),
    };
  });
}

function parseRaw(output: string): readonly RawEntry[] {
  const fields = output.split("\0");
  const entries: RawEntry[] = [];
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const [oldMode = "", newMode = "", oldObject = "", newObject = ""] = (fields[index] ?? "")
      .slice(1)
      .split(" ");
    const path = fields[index + 1] ?? "";
    entries.push({ path, modes: [oldMode, newMode], objects: [oldObject, newObject] });
  }
  return entries;
}

function isBlob(mode: string | undefined): boolean {
  return mode !== undefined && /^1[02]0/.test(mode);
}

function describe(mode: string, content: Buffer | undefined): EntryState | undefined {
  if (mode === "000000") return undefined;
  const permissions = Number.parseInt(mode, 8) & 0o7777;
  if (mode === "120000") {
    return { kind: "link", mode: 0o777, target: content?.toString("utf8") ?? "/" };
  }
  if (!isBlob(mode)) return { kind: "directory", mode: 0o755 };
  const text = content === undefined ? undefined : asText(content);
  return { kind: "file", mode: permissions, ...(text === undefined ? {} : { text }) };
}

function asText(content: Buffer): string | undefined {
  if (content.includes(0)) return undefined;
  const text = content.toString("utf8");
  return text.includes("\uFFFD") ? undefined : text;
}

/** Contents by object, of those that are small enough. */
async function readBlobs(
  where: Where,
  objects: readonly string[],
): Promise<ReadonlyMap<string, Buffer>> {
  const input = (names: readonly string[]): string =>
    [...new Set(names)].map((name) => `${name}\n`).join("");
  const sizes = await askGit({
    ...where,
    args: ["cat-file", "--batch-check=%(objectname) %(objectsize)"],
    input: input(objects),
  });
  let total = 0;
  const small = sizes.split("\n").flatMap((line) => {
    const [object = "", size = ""] = line.split(" ");
    const bytes = Number(size);
    if (size === "" || !(bytes <= TEXT_BYTES_MAX) || total + bytes > ALL_TEXT_BYTES_MAX) return [];
    total += bytes;
    return [{ object, bytes }];
  });
  const names = small.map(({ object }) => object);
  const { stdout } = await readGit({
    ...where,
    args: ["cat-file", "--batch"],
    input: input(names),
  });
  const contents = new Map<string, Buffer>();
  let offset = 0;
  for (const { object, bytes } of small) {
    const start = stdout.indexOf(0x0a, offset) + 1;
    contents.set(object, stdout.subarray(start, start + bytes));
    offset = start + bytes + 1;
  }
  return contents;
}
