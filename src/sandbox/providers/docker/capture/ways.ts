import type { EngineFacts } from "../engine/engine.ts";
import { enterToCapture } from "./entered-capture.ts";
import { prepareHelper } from "./helper-capture.ts";
import { isOtherKernel, sharesKernel } from "./kernel.ts";
import { prepareRelay } from "./relay-capture.ts";
import type { Capture, CaptureContext, CapturedContainer, CaptureWay, Neighbour } from "./way.ts";

type NeighbourWay = Exclude<CaptureWay, "entered">;

const PREPARE: Readonly<Record<NeighbourWay, typeof prepareHelper>> = {
  helper: prepareHelper,
  relay: prepareRelay,
};

export interface WaysOptions {
  /** By which way even where another would do. Default: the one that costs least of those that are open. */
  way?: NeighbourWay | undefined;
  /** Whether this process may enter a container's network. */
  isRoot: boolean;
}

/** A capture that is on its way while the sandbox's container starts. */
export interface ComingCapture {
  /** Once the container runs. */
  open(container: CapturedContainer): Promise<Capture>;
  /** Removes what was made for it. Idempotent. */
  discard(): Promise<void>;
}

/** Which way to a container's network is open, found out with the first container and known for those after it. */
export class CaptureWays {
  readonly #options: WaysOptions;
  #found: CaptureWay | undefined;

  constructor(options: WaysOptions) {
    this.#options = options;
    this.#found = options.way;
  }

  /** The engine may be another one from now on. */
  forget(): void {
    this.#found = this.#options.way;
  }

  /** Begins with what can be done before the container runs. */
  prepare(
    context: CaptureContext,
    { containerId, facts }: { containerId: string; facts: EngineFacts },
    signal: AbortSignal,
  ): ComingCapture {
    if (this.#found === undefined && isOtherKernel(facts)) this.#found = "relay";
    const made: Promise<Neighbour>[] = [];
    const make = (way: NeighbourWay): Promise<Neighbour> => {
      const neighbour = PREPARE[way](context, containerId, signal);
      made.push(neighbour);
      // Whoever opens or discards it sees it.
      neighbour.catch(() => this.forget());
      return neighbour;
    };
    const known = this.#found;
    const early = known === undefined || known === "entered" ? undefined : make(known);
    return {
      open: async (container) => {
        if (early !== undefined) return (await early).open(signal);
        const entered = this.#options.isRoot ? enterToCapture(container) : undefined;
        this.#found =
          entered?.way ??
          ((await sharesKernel(context.engine, container, signal)) ? "helper" : "relay");
        return entered ?? (await make(this.#found as NeighbourWay)).open(signal);
      },
      async discard() {
        for (const each of await Promise.allSettled(made)) {
          if (each.status === "fulfilled") await each.value.discard();
        }
      },
    };
  }
}
