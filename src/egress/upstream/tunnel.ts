import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { MessageReader, RESPONSE_RULES } from "../http/http-message.ts";
import { readResponseHead, type ResponseHead } from "../http/http-response.ts";
import { resetSocket } from "../relay.ts";
import type { HostTrust } from "../inspection/host-trust.ts";
import type { ProxyCredentials } from "./credentials.ts";
import type { UpstreamProxy } from "./upstream-file.ts";

export type Tunnel = { ok: true; socket: Socket } | { ok: false; problem: string };

/** Opens connections to the world through the operator's proxy, and never past it. */
export interface Upstream {
  readonly proxy: UpstreamProxy;
  /** HOST:PORT of the proxy, for records. */
  readonly name: string;
  /** `authority` as HOST:PORT. Never rejects. */
  open(authority: string, signal: AbortSignal): Promise<Tunnel>;
}

const DEADLINE_MS = 20_000;
const KEEP_ALIVE_MS = 30_000;

export function createUpstream(
  proxy: UpstreamProxy,
  parts: { credentials: ProxyCredentials | undefined; trust: HostTrust },
): Upstream {
  const { credentials, trust } = parts;
  return {
    proxy,
    name: `${proxy.host}:${proxy.port}`,
    async open(authority, signal) {
      const secret = await credentials?.read();
      if (secret?.ok === false) return secret;
      const bounded = AbortSignal.any([signal, AbortSignal.timeout(DEADLINE_MS)]);
      const reached = await reach(proxy, { trust, signal: bounded });
      if (!reached.ok) return reached;
      const { socket } = reached;
      socket.write(connectRequest(authority, secret?.value));
      const answer = await readAnswer(socket, bounded);
      if (answer === 200) return { ok: true, socket };
      resetSocket(socket);
      if (answer === 407) credentials?.forget();
      return { ok: false, problem: explain(answer, credentials !== undefined) };
    },
  };
}

/** SECURITY: the secret goes into this one head, to the proxy alone. */
function connectRequest(authority: string, secret: string | undefined): string {
  const basic = secret === undefined ? "" : Buffer.from(secret).toString("base64");
  const authorization = secret === undefined ? [] : [`Proxy-Authorization: Basic ${basic}`];
  const head = [`CONNECT ${authority} HTTP/1.1`, `Host: ${authority}`, ...authorization];
  return `${head.join("\r\n")}\r\n\r\n`;
}

function reach(
  proxy: UpstreamProxy,
  { trust, signal }: { trust: HostTrust; signal: AbortSignal },
): Promise<Tunnel> {
  const { host, port, isTls, certificates } = proxy;
  return new Promise((resolve) => {
    const socket = connect({
      host,
      port,
      allowHalfOpen: true,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_MS,
    });
    const secure = isTls
      ? connectTls({ socket, servername: host, secureContext: trust.contextWith(certificates) })
      : socket;
    const onAbort = (): void => void socket.destroy();
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
    let problem = "it does not answer in time";
    // Stays for the socket's life: whoever owns it later learns of the end by `close`.
    for (const each of new Set([socket, secure])) {
      each.on("error", (error: NodeJS.ErrnoException) => (problem = error.code ?? error.message));
    }
    secure.once(isTls ? "secureConnect" : "connect", () => {
      signal.removeEventListener("abort", onAbort);
      resolve({ ok: true, socket: secure });
    });
    secure.once("close", () =>
      resolve({ ok: false, problem: `it cannot be reached (${problem})` }),
    );
  });
}

type Answer = number | "malformed" | "ended";

/** The status of the proxy's answer; what comes behind it is the server's and stays in the socket. */
function readAnswer(socket: Socket, signal: AbortSignal): Promise<Answer> {
  const reader = new MessageReader<ResponseHead>(
    (text) => readResponseHead(text, "CONNECT"),
    RESPONSE_RULES,
  );
  return new Promise((resolve) => {
    const finish = (answer: Answer): void => {
      signal.removeEventListener("abort", onEnd);
      socket.off("data", onData).off("end", onEnd).off("close", onEnd).pause();
      resolve(answer);
    };
    const onData = (bytes: Buffer): void => {
      reader.feed(bytes);
      const piece = reader.next();
      if (piece === undefined) return;
      if (piece.kind !== "head") return finish("malformed");
      // A status below 200 comes before the answer that counts; no proxy has a use for it here.
      finish(piece.head.status);
      const rest = reader.takeRest();
      if (rest.length > 0) socket.unshift(rest);
    };
    const onEnd = (): void => finish("ended");
    signal.addEventListener("abort", onEnd, { once: true });
    socket.on("data", onData).once("end", onEnd).once("close", onEnd);
    if (socket.destroyed || signal.aborted) onEnd();
  });
}

function explain(answer: Answer, hasCredentials: boolean): string {
  if (answer === "ended") return "it ended the connection, or did not answer in time";
  if (answer === "malformed") return "its answer is not HTTP/1";
  if (answer === 407) {
    return hasCredentials
      ? "it does not accept the credentials that are configured (407)"
      : "it asks for credentials, and none are configured (407)";
  }
  return `it refuses the connection (${answer})`;
}
