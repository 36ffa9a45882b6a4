import type { DockerVariable } from "./capabilities.ts";
import { socketPathOf } from "./engine-address.ts";
import { EngineClient } from "./engine-client.ts";
import { Engine, type EngineFacts, type ImageFacts } from "./engine.ts";
import { checkImage } from "./image.ts";
import { Images } from "./images.ts";

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

const IMAGE_DEFAULT = "cattlegrid-base";

/** The engine and the image that count, by what is said of them at the moment. */
export class Backend {
  readonly #options: BackendOptions;
  readonly #named: string | undefined;
  #connected: Pick<Choice, "engine" | "images"> | undefined;
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

  /** Asked once for all that runs at a time. Throws IMAGE_MISSING, IMAGE_UNSUITABLE. */
  async find(signal: AbortSignal): Promise<FoundBackend> {
    const choice = await this.choose();
    const known = this.#found;
    const isSame = known?.choice.engine === choice.engine && known.choice.image === choice.image;
    if (known !== undefined && isSame) return known.backend;
    const found = { choice, backend: inspect(choice, signal) };
    this.#found = found;
    found.backend.catch(() => {
      if (this.#found === found) this.#found = undefined;
    });
    return found.backend;
  }

  /** The engine may be another one when the next sandbox starts. */
  forget(): void {
    this.#found = undefined;
  }
}

async function inspect(
  { engine, images, image }: Choice,
  signal: AbortSignal,
): Promise<FoundBackend> {
  const [facts, found] = await Promise.all([
    engine.inspectEngine(signal),
    checkImage(engine, image, signal),
  ]);
  return { engine, images, facts, image: { name: image, facts: found } };
}
