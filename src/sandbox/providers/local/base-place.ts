import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { assert } from "../../../errors/error.ts";
import { runProcess } from "../../../platform/process.ts";
import { removeTree } from "../../../platform/tree-removal.ts";
import { AGENT_ID } from "../../guest/environment.ts";
import { moveOnce } from "../../guest/trust-stores.ts";
import { isDirectory, type Directories } from "../../storage/directories.ts";
import { KEEPER_DIRECTORIES } from "./bundle/bundle.ts";
import { lendBaseNamespace } from "./bundle/id-map.ts";
import type { Machine } from "./machine.ts";
import type { LaunchedKeeper } from "./resident-keeper.ts";

export interface BasesContext {
  machine(): Machine;
  directories(): Directories;
  /** Of a keeper under which sandboxes stand on bases. */
  launch(): Promise<LaunchedKeeper>;
  /** The first subordinate id of an ordinary user's, where one's sandboxes have these. */
  range(): number | undefined;
  /** Names of directories that are being filled now. */
  filling: Set<string>;
}

/** Where a base comes to lie, and who fills it. */
export interface BasePlace {
  name: string;
  /** The directory to fill, and the one that it is in, as whoever fills it reaches them. */
  inside: string;
  parent: string;
  directory: string;
  /** Command prefix for who root is inside. */
  enter: readonly string[];
  /** Whether files may have the owners that they have inside. */
  isOwn: boolean;
}

/** Lets `fill` make a directory, which then appears whole; or finds it. `fill` may name the part of it that is meant. */
export async function keepOnce(
  { machine, directories, launch, range, filling }: BasesContext,
  id: string,
  fill: (place: BasePlace) => Promise<string | void>,
): Promise<void> {
  const { bases } = directories();
  if (await isDirectory(join(bases, id))) return;
  const name = `${id}.${Math.random().toString(36).slice(2)}`;
  const directory = join(bases, name);
  filling.add(name);
  await mkdir(directory, { mode: 0o755 });
  try {
    const { isRoot } = machine();
    const launched = await launch();
    const hasIds = isRoot || range() !== undefined;
    const namespace = hasIds ? await lendBaseNamespace(launched, machine(), directory) : undefined;
    const parent = namespace === undefined ? bases : KEEPER_DIRECTORIES.bases;
    const place = {
      name,
      directory,
      parent,
      inside: join(parent, name),
      enter: namespace ?? [],
      isOwn: namespace !== undefined,
    };
    const part = (await fill(place)) ?? "";
    if (namespace !== undefined && !isRoot) await takeBack(namespace, join(place.inside, part));
    await moveOnce(join(directory, part), join(bases, id));
  } finally {
    // In place: it may belong to who root is inside, and was never taken for a base.
    await removeTree(directory);
    filling.delete(name);
  }
}

/** Only whom a directory belongs to may move it. */
async function takeBack(namespace: readonly string[], path: string): Promise<void> {
  const argv = [...namespace, "chown", `${AGENT_ID}:${AGENT_ID}`, "--", path];
  const { code, stderr } = await runProcess(argv, { environment: { PATH: "/usr/bin:/bin" } });
  assert(code === 0, `the directory of a base cannot be taken: ${stderr}`);
}

/** Unpacked by one whose sandboxes have other ids, the same is another: its files belong to others. */
export function placeName({ range }: BasesContext, id: string): string {
  const first = range();
  return first === undefined ? id : `${id}-${first}`;
}

/** Removes what an engine left that ended while it filled them. */
export async function clearUnfinished({ directories, filling }: BasesContext): Promise<void> {
  const { bases } = directories();
  const left = (await readdir(bases)).filter((name) => name.includes("."));
  const isFilling = (name: string): boolean => [...filling].some((each) => name.startsWith(each));
  for (const name of left.filter((each) => !isFilling(each))) await removeTree(join(bases, name));
}
