import { CattlegridError } from "../../../../errors/error.ts";
import {
  readText,
  sendRequest,
  sendUpgrade,
  type HttpAnswer,
  type UpgradedConnection,
} from "../../../../platform/http-client.ts";
import { explainConnection, explainRefusal } from "./engine-failure.ts";

/** The oldest is of 2020: Docker 20.10, and what Podman offers. The newest is the oldest that Docker 29 speaks. */
const OLDEST = "1.41";
const NEWEST = "1.44";
const NEVER: AbortSignal = new AbortController().signal;

export interface Call {
  body?: unknown;
  /** Sent in place of `body`. */
  archive?: AsyncIterable<Uint8Array>;
  /** Default: none, the call is waited for. */
  signal?: AbortSignal;
  /** Statuses that count as done besides those of success; the answer's body is then ignored. */
  alsoDone?: readonly number[];
}

interface EngineVersion {
  ApiVersion?: string;
  MinAPIVersion?: string;
}

interface Target {
  socketPath: string;
  method: string;
  path: string;
}

const VERSION_PATH = "/version";

/** The Docker Engine API over a unix socket. Knows what travels and nothing of sandboxes. */
export class EngineClient {
  readonly socketPath: string;
  #agreed: Promise<string> | undefined;

  constructor(socketPath: string) {
    this.socketPath = socketPath;
  }

  /** An answer in JSON; undefined where there is none. Throws PROVIDER_UNREACHABLE, PROVIDER_FORBIDDEN and the like. */
  async call(method: string, path: string, call: Call = {}): Promise<unknown> {
    return parse(await this.ask(method, path, call));
  }

  /** The same, as it was written. */
  async ask(method: string, path: string, call: Call = {}): Promise<string> {
    const answer = await this.#send(method, path, call);
    const text = await this.#read(answer);
    if (answer.status >= 400 && call.alsoDone?.includes(answer.status) !== true) {
      throw explainRefusal({ status: answer.status, message: messageOf(text) });
    }
    return text;
  }

  /** An answer as it comes; undefined for what is not there. */
  async download(
    path: string,
    signal: AbortSignal,
  ): Promise<AsyncIterable<Uint8Array> | undefined> {
    const answer = await this.#send("GET", path, { signal });
    if (answer.status < 400) return answer.body;
    const message = messageOf(await this.#read(answer));
    if (answer.status === 404) return undefined;
    throw explainRefusal({ status: answer.status, message });
  }

  /** The connection as a stream of its own, on which the engine sends and takes what the call is about. */
  async attach(path: string, { body, signal = NEVER }: Call): Promise<UpgradedConnection> {
    const request = { ...(await this.#target("POST", path, signal)), body, signal };
    let answer: HttpAnswer | UpgradedConnection;
    try {
      answer = await sendUpgrade(request, "tcp");
    } catch (error) {
      throw explainConnection(error, this.socketPath);
    }
    if ("socket" in answer) return answer;
    throw explainRefusal({ status: answer.status, message: messageOf(await this.#read(answer)) });
  }

  async #send(
    method: string,
    path: string,
    { body, archive, signal = NEVER }: Call,
  ): Promise<HttpAnswer> {
    const request = { ...(await this.#target(method, path, signal)), signal };
    try {
      return await sendRequest({
        ...request,
        ...(body === undefined ? {} : { body }),
        ...(archive === undefined ? {} : { archive }),
      });
    } catch (error) {
      throw explainConnection(error, this.socketPath);
    }
  }

  async #target(method: string, path: string, signal: AbortSignal): Promise<Target> {
    const { socketPath } = this;
    if (path === VERSION_PATH) return { socketPath, method, path };
    return { socketPath, method, path: `/v${await this.#agree(signal)}${path}` };
  }

  /** The version of the API that both speak; asked for once, and again after a failure. */
  #agree(signal: AbortSignal): Promise<string> {
    if (this.#agreed !== undefined) return this.#agreed;
    const agreed = this.call("GET", VERSION_PATH, { signal }).then((version) =>
      chooseVersion(version as EngineVersion),
    );
    this.#agreed = agreed;
    agreed.catch(() => (this.#agreed = undefined));
    return agreed;
  }

  async #read({ body }: HttpAnswer): Promise<string> {
    try {
      return await readText(body);
    } catch (error) {
      throw explainConnection(error, this.socketPath);
    }
  }
}

/** Throws PROVIDER_OUTDATED for an engine that does not speak our versions any more, or not yet. */
export function chooseVersion({
  ApiVersion: newest = "0",
  MinAPIVersion: oldest = "0",
}: EngineVersion): string {
  const chosen = compareVersions(newest, NEWEST) < 0 ? newest : NEWEST;
  if (compareVersions(chosen, OLDEST) < 0) {
    const message = `The Docker engine speaks API ${newest}; ${OLDEST} is needed.`;
    throw new CattlegridError("PROVIDER_OUTDATED", message, {
      hint: "Update it to Docker 20.10 or newer.",
    });
  }
  if (compareVersions(oldest, chosen) <= 0) return chosen;
  const message = `The Docker engine speaks API ${oldest} and newer; this Cattlegrid speaks ${NEWEST}.`;
  throw new CattlegridError("PROVIDER_OUTDATED", message, { hint: "Update Cattlegrid." });
}

function compareVersions(left: string, right: string): number {
  const [one, other] = [left, right].map((text) => text.split(".").map(Number));
  const index = [0, 1].find((each) => (one?.[each] ?? 0) !== (other?.[each] ?? 0));
  return index === undefined ? 0 : (one?.[index] ?? 0) - (other?.[index] ?? 0);
}

function messageOf(text: string): string {
  const answer = parse(text);
  if (typeof answer !== "object" || answer === null || !("message" in answer)) return text;
  return String(answer.message);
}

function parse(text: string): unknown {
  if (text.trim() === "") return undefined;
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
