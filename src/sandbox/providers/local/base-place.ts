import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { moveOnce } from "../../guest/trust-stores.ts";
import { discardTree, isDirectory, type Directories } from "../../storage/directories.ts";
import { KEEPER_DIRECTORIES } from "./bundle/bundle.ts";
import { lendBaseNamespace } from "./bundle/id-map.ts";
import type { Machine } from "./machine.ts";
import type { LaunchedKeeper } from "./resident-keeper.ts";

export interface BasesContext {
  machine(): Machine;
  directories(): Directories;
  launch(): Promise<LaunchedKeeper>;
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
  { machine, directories, launch }: BasesContext,
  id: string,
  fill: (place: BasePlace) => Promise<string | void>,
): Promise<void> {
  const { bases, trash } = directories();
  if (await isDirectory(join(bases, id))) return;
  const name = `${id}.${Math.random().toString(36).slice(2)}`;
  const directory = join(bases, name);
  await mkdir(directory, { mode: 0o755 });
  try {
    const { isRoot } = machine();
    const launched = await launch();
    const namespace = isRoot ? await lendBaseNamespace(launched, machine(), directory) : undefined;
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
    await moveOnce(join(directory, part), join(bases, id));
  } finally {
    await discardTree(directory, trash);
  }
}
