import type { DockerVariable } from "./capabilities.ts";
import { socketPathOf } from "./engine/engine-address.ts";
import { EngineClient } from "./engine/engine-client.ts";
import { Engine, type EngineFacts, type ImageFacts, type Labels } from "./engine/engine.ts";
import { requireContents } from "./images/image-contents.ts";
import { checkImage, IMAGE_DEFAULT } from "./images/image.ts";
import { Images } from "./images/images.ts";

/** SECURITY: asked at each use, so that the engine is always the one that is meant now. */
export type ReadVariable = (name: DockerVariable) => Promise<string | undefined>;

export interface BackendOptions {
  host?: string | undefined;
  image?: string | undefined;
  read?: ReadVariable | undefined;
}

/** Where sandboxes are made, and from what. */
export interface Choice {
  engine: Engine;
  images: Images;
  /** Its name. */
  image: string;
}

/** The same, as the engine knows it. */
export interface FoundBackend {
  engine: Engine;
  images: Images;
  facts: EngineFacts;
  image: { name: string; facts: ImageFacts };
}

/** The engine and the image that count, by what is said of them at the moment. */
export class Backend {
  readonly #options: BackendOptions;
  readonly #named: string | undefined;
  #connected: Pick<Choice, "engine" | "images"> | undefined;
  /** Ids of images that have what is needed: what an id stands for does not change. */
  readonly #complete = new Set<string>();
  #found: { choice: Choice; backend: Promise<FoundBackend> } | undefined;

  /** Throws PROVIDER_UNSUPPORTED for an engine on another machine. */
  constructor(options: BackendOptions) {
    this.#options = options;
    this.#named = options.host === undefined ? undefined : socketPathOf(options.host);
  }

  /** Throws PROVIDER_UNSUPPORTED for an engine on another machine. */
  async choose(): Promise<Choice> {
    const { image, read = async () => undefined } = this.#options;
    const socketPath = this.#named ?? socketPathOf(await read("DOCKER_HOST"));
    if (this.#connected?.engine.socketPath !== socketPath) {
      const client = new EngineClient(socketPath);
      this.#connected = { engine: new Engine(client), images: new Images(client) };
    }
    const name = image ?? (await read("CATTLEGRID_DOCKER_IMAGE")) ?? IMAGE_DEFAULT;
    return { ...this.#connected, image: name };
  }

  /** Asked once for all that runs at a time. `labels` mark what is made for it. Throws IMAGE_MISSING, IMAGE_UNSUITABLE. */
  async find(labels: Labels, signal: AbortSignal): Promise<FoundBackend> {
    const choice = await this.choose();
    const known = this.#found;
    const isSame = known?.choice.engine === choice.engine && known.choice.image === choice.image;
    if (known !== undefined && isSame) return known.backend;
    const found = { choice, backend: this.#inspect(choice, labels, signal) };
    this.#found = found;
    found.backend.catch(() => {
      if (this.#found === found) this.#found = undefined;
    });
    return found.backend;
  }

  async #inspect(choice: Choice, labels: Labels, signal: AbortSignal): Promise<FoundBackend> {
    const { engine, images, image: name } = choice;
    const [facts, image] = await Promise.all([
      engine.inspectEngine(signal),
      checkImage(engine, name, signal),
    ]);
    const { Id: id } = image;
    if (!this.#complete.has(id)) await requireContents({ engine, image: id, labels, signal }, name);
    this.#complete.add(id);
    return { engine, images, facts, image: { name, facts: image } };
  }

  /** The engine may be another one when the next sandbox starts. */
  forget(): void {
    this.#found = undefined;
  }
}
