import { existsSync, readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CattlegridError } from "../../../../errors/error.ts";
import { moveOnce } from "../../../guest/trust-stores.ts";
import type { SandboxSpecification } from "../../../provider.ts";
import { layerName, type Directories } from "../../../storage/directories.ts";
import type { Images } from "./images.ts";

const FILE = "image.json";

/** An image that is the root file system of sandboxes: a template's base, or what a step made of it as root. */
export interface RootImage {
  /** Of its content. */
  image: string;
  /** Variables that it gives every program. */
  environment: readonly string[];
  /** What it says of accounts. */
  passwd: string;
  group: string;
  /** That it takes beyond what it stands on. */
  bytes: number;
}

/** Images of an installation bear its name, so that it removes no other's. */
export function repositoryOf(installation: string): string {
  return `cattlegrid-${installation}`;
}

export function baseImageName(installation: string, base: string): string {
  return `${repositoryOf(installation)}:${base}`;
}

export function layerImageName(installation: string, layerId: string): string {
  return `${repositoryOf(installation)}:layer-${layerName(layerId)}`;
}

/** What a sandbox's root file system is; undefined for the provider's own image. Throws IMAGE_MISSING. */
export function findRootImage(
  { base, homeLayers }: Pick<SandboxSpecification, "base" | "homeLayers">,
  directories: Directories,
): RootImage | undefined {
  if (base === undefined) return undefined;
  const highest = homeLayers.toReversed().map((id) => join(directories.roots, layerName(id)));
  for (const path of [...highest, join(directories.bases, base.id)]) {
    const found = readRootImage(path);
    if (found !== undefined) return found;
  }
  throw withoutRootImage(base.id);
}

export function withoutRootImage(base: string): CattlegridError {
  const message = `The template's base ${base} is not with the Docker engine any more.`;
  return new CattlegridError("IMAGE_MISSING", message, {
    hint: "Make it again with `cattlegrid template build TEMPLATE --no-cache`, and the sandbox with `cattlegrid recreate NAME`.",
  });
}

export function readRootImage(path: string): RootImage | undefined {
  const file = join(path, FILE);
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as RootImage) : undefined;
}

/** Appears whole. */
export async function keepRootImage(path: string, root: RootImage): Promise<void> {
  const building = `${path}.${Math.random().toString(36).slice(2)}`;
  await mkdir(building);
  await writeFile(join(building, FILE), JSON.stringify(root));
  await moveOnce(building, path);
}

/** What a container that does not run says of accounts; links are not followed. */
export async function readAccounts(
  images: Images,
  containerId: string,
  signal: AbortSignal,
): Promise<Pick<RootImage, "passwd" | "group">> {
  const read = async (name: string): Promise<string> =>
    (await images.read(containerId, `/etc/${name}`, signal)) ?? "";
  return { passwd: await read("passwd"), group: await read("group") };
}
