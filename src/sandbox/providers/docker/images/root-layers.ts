import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { SandboxLayers } from "../../../provider.ts";
import {
  discardTree,
  isDirectory,
  layerName,
  type Directories,
} from "../../../storage/directories.ts";
import type { Engine } from "../engine/engine.ts";
import type { Images } from "./images.ts";
import { INSTALLATION_LABEL } from "../installation.ts";
import {
  baseImageName,
  keepRootImage,
  layerImageName,
  readAccounts,
  readRootImage,
  repositoryOf,
  type RootImage,
} from "./root-image.ts";

export interface RootLayersContext {
  /** Asked at each use: another engine may be meant by then. */
  choose(): Promise<{ engine: Engine; images: Images }>;
  directories(): Directories;
  installation(): string;
  /** By the names of images: bases that are being made. */
  making: ReadonlyMap<string, unknown>;
}

const NEVER: AbortSignal = new AbortController().signal;

/**
 * What steps of setup wrote outside of the home, as images on top of each other. The containers that they come of stay
 * from a sandbox's end until it is sealed or destroyed.
 */
export class RootLayers {
  readonly #context: RootLayersContext;
  readonly #containers = new Map<string, string>();

  constructor(context: RootLayersContext) {
    this.#context = context;
  }

  has(sandboxId: string): boolean {
    return this.#containers.has(sandboxId);
  }

  /** Has the container of a sandbox that was stopped, in which a step was root. */
  keep(sandboxId: string, containerId: string): void {
    this.#containers.set(sandboxId, containerId);
  }

  /** Removes the container that is kept of a sandbox, if there is one. */
  async drop(sandboxId: string): Promise<void> {
    const containerId = this.#containers.get(sandboxId);
    if (containerId === undefined) return;
    const { engine } = await this.#context.choose();
    await engine.removeContainer(containerId);
    this.#containers.delete(sandboxId);
  }

  /** The layers of homes, with what was written outside of them beside each. */
  over(homes: SandboxLayers): SandboxLayers {
    return {
      ...homes,
      // Before the home, whose directory says that the layer is there.
      seal: async (sandboxId, layerId) => {
        await this.#seal(sandboxId, layerId);
        await homes.seal(sandboxId, layerId);
      },
      remove: async (layerId) => {
        const path = this.#pathOf(layerId);
        if (readRootImage(path) !== undefined) {
          const { images } = await this.#context.choose();
          await images.remove(layerImageName(this.#context.installation(), layerId));
        }
        await homes.remove(layerId);
      },
      measure: async (layerId) => {
        const bytes = (await homes.measure?.(layerId)) ?? 0;
        return bytes + (readRootImage(this.#pathOf(layerId))?.bytes ?? 0);
      },
    };
  }

  /** Removes images that a crash has left without anything that names them. */
  async clear(): Promise<void> {
    const { choose, directories, installation, making } = this.#context;
    const { images } = await choose();
    const { bases, layers } = directories();
    const own = installation();
    const known = new Set([
      ...(await readdir(bases)).map((id) => baseImageName(own, id)),
      ...(await readdir(layers)).map((name) => `${repositoryOf(own)}:layer-${name}`),
      ...making.keys(),
    ]);
    for (const name of await images.list(repositoryOf(own))) {
      if (!known.has(name)) await images.remove(name);
    }
  }

  async #seal(sandboxId: string, layerId: string): Promise<void> {
    const containerId = this.#containers.get(sandboxId);
    if (containerId === undefined) return;
    const { choose, directories, installation } = this.#context;
    const { images } = await choose();
    const { layers, trash } = directories();
    // An equal id stands for equal content, so of two that were made at once either will do.
    if (!(await isDirectory(join(layers, layerName(layerId))))) {
      const name = layerImageName(installation(), layerId);
      await images.remove(name);
      const accounts = await readAccounts(images, containerId, NEVER);
      const labels = { [INSTALLATION_LABEL]: installation() };
      const image = await images.commit(containerId, { name, labels });
      const made = await describe(images, image);
      await discardTree(this.#pathOf(layerId), trash);
      await keepRootImage(this.#pathOf(layerId), { image, ...made, ...accounts });
    }
    await this.drop(sandboxId);
  }

  #pathOf(layerId: string): string {
    return join(this.#context.directories().roots, layerName(layerId));
  }
}

async function describe(
  images: Images,
  image: string,
): Promise<Pick<RootImage, "environment" | "bytes">> {
  const { Size: whole = 0, Parent: parent = "", Config } = (await images.find(image, NEVER)) ?? {};
  const below = parent === "" ? undefined : await images.find(parent, NEVER);
  return { environment: Config?.Env ?? [], bytes: Math.max(0, whole - (below?.Size ?? 0)) };
}
