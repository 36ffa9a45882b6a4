import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { askGit } from "../../platform/git.ts";
import type { Repository } from "./repository.ts";

/**
 * Makes a repository of its own in the empty directory `target`, with the history that `repository` has and `branch` at
 * its commit; no file is checked out. The user's branches are its `refs/remotes/origin`, tags are tags; configuration,
 * hooks, stashes, notes and reflogs stay behind.
 * SECURITY: nothing is shared with the user's repository, no object by link either, so nothing written here shows there.
 */
export async function makePrivateClone(
  repository: Repository,
  options: { target: string; branch: string; signal: AbortSignal },
): Promise<void> {
  const { target, branch, signal } = options;
  const ask = (args: readonly string[], input?: string): Promise<string> =>
    askGit({ repository: target, args, signal, ...(input === undefined ? {} : { input }) });
  const format = `--object-format=${repository.objectFormat}`;
  await ask(["init", "--quiet", "--template=", format, `--initial-branch=${branch}`, target]);
  if (repository.shallow.length > 0) {
    await writeFile(join(target, ".git/shallow"), lines(repository.shallow), { flag: "wx" });
  }
  const wanted = [repository.head, ...repository.refs.map(({ object }) => object)];
  const directory = join(target, ".git/objects");
  await askGit({
    repository: target,
    // Unfinished packs lie where finished ones will: in the user's repository they may be on another file system, and are not ours.
    objects: { directory, alternates: repository.objects },
    args: ["pack-objects", "--revs", "--quiet", join(directory, "pack/pack")],
    input: lines(wanted),
    signal,
  });
  await writeFile(join(target, ".git/packed-refs"), packRefs(repository.refs), { flag: "wx" });
  await ask(["update-ref", `refs/heads/${branch}`, repository.head, ""]);
}

/** As git packs refs. One file, as git would make one for each and wait for the disk each time. */
function packRefs(refs: Repository["refs"]): string {
  const inside = refs.map(({ name, object }) => ({ name: Buffer.from(nameInside(name)), object }));
  const sorted = inside.toSorted((one, other) => Buffer.compare(one.name, other.name));
  return [
    "# pack-refs with: sorted",
    ...sorted.map(({ name, object }) => `${object} ${name.toString("utf8")}`),
    "",
  ].join("\n");
}

function nameInside(name: string): string {
  return name.replace(/^refs\/heads\//, "refs/remotes/origin/");
}

function lines(texts: readonly string[]): string {
  return [...new Set(texts)].map((text) => `${text}\n`).join("");
}
