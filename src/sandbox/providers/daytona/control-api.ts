import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { CattlegridError } from "../../../errors/error.ts";
import type { ApiClient } from "./api-client.ts";
import { descriptionSchema, type Description } from "./description.ts";
import type { Network } from "./network.ts";

const STATE_POLL_MS = 100;
const STATE_POLL_MS_MAX = 1000;
const PAGE = "100";

const pageSchema = z.object({
  items: z.array(descriptionSchema),
  nextCursor: z.string().nullish(),
});

export interface CreateWish {
  name: string;
  labels: Readonly<Record<string, string>>;
  target?: string | undefined;
  snapshot?: string | undefined;
  image?: string | undefined;
  resources: { cpu?: number; memory?: number };
  network: Network;
  autoStopMinutes: number;
  autoDeleteMinutes: number;
}

const GONE = new Set(["destroyed", "destroying"]);
const FAILED = new Set(["error", "build_failed"]);

/** Daytona's control API as operations on sandboxes. */
export class ControlApi {
  readonly #client: ApiClient;

  constructor(client: ApiClient) {
    this.#client = client;
  }

  /** By id or name; undefined when there is none, or it is on its way out. */
  async find(idOrName: string, signal: AbortSignal): Promise<Description | undefined> {
    try {
      const found = read(descriptionSchema, await this.#get(idOrName, signal));
      return GONE.has(found.state) ? undefined : found;
    } catch (error) {
      if (CattlegridError.is(error, "SANDBOX_NOT_RUNNING")) return undefined;
      throw error;
    }
  }

  /** Its name is the service's only once, so that a wish that is told twice makes one. */
  async create(wish: CreateWish, signal: AbortSignal): Promise<Description> {
    const { snapshot, image, target, resources, network } = wish;
    const body = {
      name: wish.name,
      labels: { ...wish.labels },
      // What is set here, the service would keep; and a pool of prepared sandboxes has none.
      env: {},
      ...(target === undefined ? {} : { target }),
      ...(snapshot === undefined ? {} : { snapshot }),
      ...(image === undefined ? {} : { buildInfo: { dockerfileContent: `FROM ${image}\n` } }),
      ...resources,
      ...network,
      public: false,
      autoStopInterval: wish.autoStopMinutes,
      autoDeleteInterval: wish.autoDeleteMinutes,
    };
    return read(
      descriptionSchema,
      await this.#client.call({
        method: "POST",
        path: "/sandbox",
        body,
        isRepeatable: true,
        signal,
      }),
    );
  }

  async list(
    labels: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<readonly Description[]> {
    const found: Description[] = [];
    let cursor: string | undefined;
    do {
      const query: Record<string, string> = {
        labels: JSON.stringify(labels),
        limit: PAGE,
        ...(cursor === undefined ? {} : { cursor }),
      };
      const call = { method: "GET" as const, path: "/sandbox", query, signal };
      const page: z.infer<typeof pageSchema> = read(pageSchema, await this.#client.call(call));
      found.push(...page.items.filter(({ state }) => !GONE.has(state)));
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined);
    return found;
  }

  /** Resolves when the service has no such sandbox any more, which its answer to the deletion does not say. */
  async remove(id: string, signal: AbortSignal): Promise<void> {
    try {
      await this.#client.call({ method: "DELETE", path: `/sandbox/${id}`, signal });
    } catch (error) {
      if (CattlegridError.is(error, "SANDBOX_NOT_RUNNING")) return;
      // One that changes its state just now is asked again below.
      if (!CattlegridError.is(error, "PROVIDER_FAILED")) throw error;
    }
    for (let pauseMs = STATE_POLL_MS; ; pauseMs = Math.min(pauseMs * 1.5, STATE_POLL_MS_MAX)) {
      const state = await this.#stateOf(id, signal);
      if (state === undefined || state === "destroyed") return;
      await pause(pauseMs, signal);
      if (state !== "destroying") await this.#removeAgain(id, signal);
    }
  }

  async start(id: string, signal: AbortSignal): Promise<void> {
    const path = `/sandbox/${id}/start`;
    await this.#client.call({ method: "POST", path, isRepeatable: true, signal });
  }

  async stop(id: string, signal: AbortSignal): Promise<void> {
    const path = `/sandbox/${id}/stop`;
    await this.#client.call({ method: "POST", path, isRepeatable: true, signal });
  }

  /** Counts as activity: the clock of the automatic stop begins anew. */
  async renew(id: string, signal: AbortSignal): Promise<void> {
    const path = `/sandbox/${id}/last-activity`;
    await this.#client.call({ method: "POST", path, body: {}, isRepeatable: true, signal });
  }

  async deleteAfter(id: string, minutes: number, signal: AbortSignal): Promise<void> {
    const path = `/sandbox/${id}/autodelete/${minutes}`;
    await this.#client.call({ method: "POST", path, isRepeatable: true, signal });
  }

  async setNetwork(id: string, network: Network, signal: AbortSignal): Promise<Description> {
    const path = `/sandbox/${id}/network-settings`;
    const call = { method: "POST" as const, path, body: network, isRepeatable: true, signal };
    return read(descriptionSchema, await this.#client.call(call));
  }

  /** Waits until it is in that state. Throws PROVIDER_FAILED with the service's reason, SANDBOX_LOST. */
  async reach(state: string, id: string, signal: AbortSignal): Promise<Description> {
    for (let pauseMs = STATE_POLL_MS; ; pauseMs = Math.min(pauseMs * 1.2, STATE_POLL_MS_MAX)) {
      const found = await this.find(id, signal);
      if (found === undefined) {
        throw new CattlegridError("SANDBOX_LOST", "Daytona deleted the sandbox meanwhile.");
      }
      if (found.state === state) return found;
      if (FAILED.has(found.state)) {
        const why = found.errorReason ?? found.state;
        const message = `Daytona could not bring the sandbox to the state ${state}: ${why}.`;
        throw new CattlegridError("PROVIDER_FAILED", message);
      }
      await pause(pauseMs, signal);
    }
  }

  async toolboxUrl(found: Description, signal: AbortSignal): Promise<string> {
    if (found.toolboxProxyUrl) return found.toolboxProxyUrl;
    const path = `/sandbox/${found.id}/toolbox-proxy-url`;
    const answer = await this.#client.call({ method: "GET", path, signal });
    return read(z.object({ url: z.string() }), answer).url;
  }

  async #stateOf(id: string, signal: AbortSignal): Promise<string | undefined> {
    try {
      return read(descriptionSchema, await this.#get(id, signal)).state;
    } catch (error) {
      if (CattlegridError.is(error, "SANDBOX_NOT_RUNNING")) return undefined;
      throw error;
    }
  }

  async #removeAgain(id: string, signal: AbortSignal): Promise<void> {
    try {
      await this.#client.call({ method: "DELETE", path: `/sandbox/${id}`, signal });
    } catch (error) {
      const codes = ["SANDBOX_NOT_RUNNING", "PROVIDER_FAILED"] as const;
      if (!codes.some((code) => CattlegridError.is(error, code))) throw error;
    }
  }

  #get(idOrName: string, signal: AbortSignal): Promise<unknown> {
    const path = `/sandbox/${encodeURIComponent(idOrName)}`;
    return this.#client.call({ method: "GET", path, signal });
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => signal.throwIfAborted());
}

/** Throws PROVIDER_FAILED for an answer of another form than the API's. */
function read<T extends z.ZodType>(schema: T, answer: unknown): z.infer<T> {
  const parsed = schema.safeParse(answer);
  if (parsed.success) return parsed.data;
  const message = `Daytona's answer is of another form than expected: ${z.prettifyError(parsed.error)}`;
  throw new CattlegridError("PROVIDER_FAILED", message, {
    hint: "Look at DAYTONA_API_URL; what answers there speaks another version, or is something else.",
  });
}
