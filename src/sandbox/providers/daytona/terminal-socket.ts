import { WebSocket } from "ws";
import { CattlegridError } from "../../../errors/error.ts";
import { explainConnection, explainRefusal } from "./service-failure.ts";

/** The service echoes it, and tells the end of the shell in a frame of its own; we trust neither that nor the close. */
const PROTOCOL = "X-Daytona-Pty-Exit-Control";
const CONNECT_TIMEOUT_MS = 30_000;

export interface SocketAddress {
  url: string;
  headers: Readonly<Record<string, string>>;
  /** How long a connection may give no sign of life, twice. */
  pingMs: number;
}

/** One connection to a terminal of the service's. */
export interface TerminalSocket {
  /** Resolves when the connection is gone, for whatever reason. Never rejects. */
  readonly closed: Promise<void>;
  /** Bytes that come from now on. */
  onBytes(take: (bytes: Buffer) => void): void;
  type(text: string): void;
  /** Idempotent. */
  close(): void;
}

/** Throws PROVIDER_UNREACHABLE, SANDBOX_NOT_RUNNING and the like. */
export async function openTerminalSocket(
  { url, headers, pingMs }: SocketAddress,
  signal: AbortSignal,
): Promise<TerminalSocket> {
  const socket = new WebSocket(url, [PROTOCOL], {
    headers,
    perMessageDeflate: false,
    followRedirects: false,
    handshakeTimeout: CONNECT_TIMEOUT_MS,
  });
  const connection = new Connection(socket, pingMs);
  try {
    await connection.connected(
      url,
      AbortSignal.any([signal, AbortSignal.timeout(CONNECT_TIMEOUT_MS)]),
    );
    return connection;
  } catch (error) {
    connection.close();
    signal.throwIfAborted();
    throw error;
  }
}

class Connection implements TerminalSocket {
  readonly closed: Promise<void>;
  readonly #socket: WebSocket;
  readonly #ready = Promise.withResolvers<void>();
  #take: (bytes: Buffer) => void = () => undefined;
  #isAlive = true;

  constructor(socket: WebSocket, pingMs: number) {
    this.#socket = socket;
    this.closed = new Promise((resolve) => socket.once("close", () => resolve()));
    // Whoever waits for it hears of it; once it is ready nobody does.
    void Promise.allSettled([this.#ready.promise]);
    socket.on("message", (data, isBinary) => this.#hear(data as Buffer, isBinary));
    socket.on("pong", () => (this.#isAlive = true));
    socket.once("unexpected-response", (_request, answer) => {
      answer.resume();
      const { statusCode: status = 0, statusMessage: message = "" } = answer;
      const path = new URL(socket.url).pathname;
      this.#ready.reject(explainRefusal({ status, message, method: "GET", path }));
      socket.terminate();
    });
    socket.on("error", (error) => this.#ready.reject(explainConnection(error, socket.url)));
    void this.closed.then(() => this.#ready.reject(lost("the connection ended at once")));
    this.#watch(pingMs);
  }

  async connected(url: string, signal: AbortSignal): Promise<void> {
    const late = (): void => this.#ready.reject(explainConnection(signal.reason, url));
    signal.addEventListener("abort", late, { once: true });
    try {
      await this.#ready.promise;
    } finally {
      signal.removeEventListener("abort", late);
    }
  }

  onBytes(take: (bytes: Buffer) => void): void {
    this.#take = take;
  }

  type(text: string): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(Buffer.from(text));
  }

  close(): void {
    this.#take = () => undefined;
    this.#socket.terminate();
  }

  #hear(data: Buffer, isBinary: boolean): void {
    this.#isAlive = true;
    const control = isBinary ? undefined : readControl(data);
    if (control === undefined) return this.#take(data);
    if (control.status === "connected") this.#ready.resolve();
    if (control.status === "error") this.#ready.reject(lost(control.error ?? "no reason given"));
  }

  /** A half-open connection is found by what does not come back. */
  #watch(pingMs: number): void {
    const timer = setInterval(() => {
      if (!this.#isAlive) return this.#socket.terminate();
      this.#isAlive = false;
      if (this.#socket.readyState === WebSocket.OPEN) this.#socket.ping();
    }, pingMs);
    timer.unref();
    void this.closed.then(() => clearInterval(timer));
  }
}

function lost(why: string): CattlegridError {
  return new CattlegridError("PROVIDER_FAILED", `The terminal in the sandbox was refused: ${why}.`);
}

interface Control {
  type: "control";
  status?: string;
  error?: string;
}

/** Text that is no control message is output. */
function readControl(data: Buffer): Control | undefined {
  try {
    const parsed: unknown = JSON.parse(data.toString());
    const isControl = typeof parsed === "object" && parsed !== null && "type" in parsed;
    return isControl && parsed.type === "control" ? (parsed as Control) : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
