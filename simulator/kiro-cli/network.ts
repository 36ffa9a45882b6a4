import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";

export interface Call {
  host: string;
  path: string;
  headers?: Readonly<Record<string, string>>;
  body?: unknown;
  signal?: AbortSignal | undefined;
  timeoutMs?: number;
}

export interface Answer {
  status: number;
  /** Name of the error, from x-amzn-errortype; empty on success. */
  errorType: string;
  body: Record<string, unknown>;
}

/** The service could not be reached at all. */
export class DispatchFailure extends Error {}

const SYSTEM_BUNDLES = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];

/** HTTPS to Kiro's hosts, trusting SSL_CERT_FILE or the system's store as the V1 engine does. */
export class Network {
  readonly #connectTo: string | undefined;
  readonly #authorities: string | undefined;

  constructor(environment: NodeJS.ProcessEnv, connectTo: string | undefined) {
    this.#connectTo = connectTo;
    this.#authorities = readAuthorities(environment["SSL_CERT_FILE"]);
  }

  /** One call with a JSON answer. */
  async post(call: Call): Promise<Answer> {
    const response = await this.open(call);
    const text = (await collect(response)).toString();
    const type = response.headers["x-amzn-errortype"];
    return {
      status: response.statusCode ?? 0,
      errorType: typeof type === "string" ? type : "",
      body: text === "" ? {} : (JSON.parse(text) as Record<string, unknown>),
    };
  }

  /** One call whose answer the caller reads as it comes. */
  async open(call: Call): Promise<IncomingMessage> {
    const payload = JSON.stringify(call.body ?? {});
    const [address = call.host, port = "443"] = this.#connectTo?.split(":") ?? [];
    const request = httpsRequest({
      host: address,
      port: Number(port),
      servername: call.host,
      ...(this.#authorities === undefined ? {} : { ca: this.#authorities }),
      path: call.path,
      method: "POST",
      headers: {
        host: call.host,
        "content-type": "application/json",
        "content-length": Buffer.byteLength(payload),
        "user-agent": "kiro-cli-simulator",
        ...call.headers,
      },
      agent: false,
      ...(call.signal === undefined ? {} : { signal: call.signal }),
      ...(call.timeoutMs === undefined ? {} : { timeout: call.timeoutMs }),
    });
    request.on("timeout", () => request.destroy(new Error("timed out")));
    request.end(payload);
    try {
      const [response] = (await once(request, "response")) as [IncomingMessage];
      return response;
    } catch (error) {
      if (call.signal?.aborted === true) throw error;
      throw new DispatchFailure(`dispatch failure (${(error as Error).message})`);
    }
  }
}

function readAuthorities(chosen: string | undefined): string | undefined {
  for (const path of chosen === undefined ? SYSTEM_BUNDLES : [chosen]) {
    try {
      return readFileSync(path, "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
  }
  return undefined;
}

async function collect(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}
