import type { Socket } from "node:net";
import { connect, TLSSocket, type SecureContext } from "node:tls";
import type { HostName } from "../host-name.ts";
import { Refusal } from "../refusal.ts";

export const HTTP2 = "h2";
export const HTTP1 = "http/1.1";
const READABLE = [HTTP2, HTTP1];
const HANDSHAKE_DEADLINE_MS = 15_000;

export interface UpstreamTls {
  socket: Socket;
  name: HostName;
  /** The protocols that the client offers and we can read; absent when it names none. */
  protocols: readonly string[] | undefined;
  trusted: SecureContext;
}

/** The protocols to ask the server for, or why none of what the client speaks can be inspected. */
export function chooseProtocols(
  offered: readonly string[] | undefined,
): readonly string[] | undefined | Refusal {
  const readable = offered?.filter((protocol) => READABLE.includes(protocol));
  if (readable === undefined || readable.length > 0) return readable;
  const reason = `the client speaks only ${offered?.join(", ") ?? ""}, which cannot be inspected`;
  return new Refusal("protocol-unreadable", reason.replaceAll(/[^\x20-\x7e]/g, "?"));
}

/** Speaks TLS with the server, which must prove that it has the name. Never rejects. */
export async function openUpstreamTls(options: UpstreamTls): Promise<TLSSocket | Refusal> {
  const { socket, name, protocols, trusted } = options;
  const tls = connect({
    socket,
    servername: name,
    secureContext: trusted,
    rejectUnauthorized: true,
    ...(protocols === undefined ? {} : { ALPNProtocols: [...protocols] }),
  });
  const problem = await handshake(tls, "secureConnect");
  if (problem === undefined) return tls;
  tls.destroy();
  const { code } = problem;
  const isCertificate = code !== undefined && CERTIFICATE_PROBLEM.test(code);
  const reason = isCertificate
    ? `the server at ${name} does not prove that it is ${name}: ${problem.text}`
    : `no TLS connection with ${name}: ${problem.text}`;
  return new Refusal(isCertificate ? "certificate-untrusted" : "unreachable", reason, {
    action: "error",
  });
}

const CERTIFICATE_PROBLEM = /CERT|SELF_SIGNED|ISSUER|LEAF_SIGNATURE|ALTNAME|CRL|HOSTNAME|CA_/;

export interface ClientTls {
  /** With the ClientHello given back to it. */
  socket: Socket;
  name: HostName;
  /** What the server chose. */
  protocol: string | undefined;
  certificate: SecureContext;
}

/** Speaks TLS with the client, in the place of the server. Never rejects. */
export async function openClientTls(options: ClientTls): Promise<TLSSocket | Refusal> {
  const { socket, name, protocol, certificate } = options;
  const tls = new TLSSocket(socket, {
    isServer: true,
    secureContext: certificate,
    ...(protocol === undefined ? {} : { ALPNProtocols: [protocol] }),
  });
  const problem = await handshake(tls, "secure");
  if (problem === undefined) {
    // Only a tls.Server clears this; node:http2 would wait for ever for the end of the handshake.
    Object.assign(tls, { secureConnecting: false });
    // SECURITY: what OpenSSL read must be what was compared before.
    if (servernameOf(tls) === name) return tls;
    tls.destroy();
    return new Refusal("server-name-differs", "the client names another server in its handshake");
  }
  tls.destroy();
  const reason =
    `the client broke the handshake off (${problem.text}); programs that trust only certificates ` +
    "of their own cannot be inspected";
  return new Refusal("client-distrusts", reason, { action: "error" });
}

function servernameOf(socket: TLSSocket): string | undefined {
  const { servername } = socket as TLSSocket & { servername?: string | false };
  return typeof servername === "string" ? servername.toLowerCase().replace(/\.$/, "") : undefined;
}

function handshake(
  socket: TLSSocket,
  done: "secure" | "secureConnect",
): Promise<{ text: string; code?: string } | undefined> {
  return new Promise((resolve) => {
    const fail = (text: string, code?: string): void => {
      clearTimeout(timer);
      resolve({ text, ...(code === undefined ? {} : { code }) });
    };
    const timer = setTimeout(() => fail("it took too long"), HANDSHAKE_DEADLINE_MS);
    // Stays for the socket's life: whoever owns it later learns of the end by `close`.
    socket.on("error", (error: NodeJS.ErrnoException) => {
      fail(
        error.code === undefined ? error.message : `${plain(error)} (${error.code})`,
        error.code,
      );
    });
    socket.once("close", () => fail("it closed the connection"));
    socket.once(done, () => {
      clearTimeout(timer);
      resolve(undefined);
    });
  });
}

/** OpenSSL's own texts carry addresses in memory and lines of its sources. */
function plain(error: NodeJS.ErrnoException): string {
  return error.code?.startsWith("ERR_SSL_") === true
    ? "TLS failed"
    : (error.message.split("\n", 1)[0] ?? "");
}
