/** The world outside: servers on loopback that answer whatever comes, and remember every byte of it. */
import { once } from "node:events";
import { performServerHandshake } from "node:http2";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { TLSSocket, createSecureContext, type SecureContext } from "node:tls";
import { createCertificates } from "../../../simulator/cloud/certificate.ts";
import { GREETING } from "./attempt.ts";

export interface Outside {
  /** Of a server of the host's own loopback that greets whoever comes. */
  port: number;
  /** Of a proxy that greets in the place of every server it is asked for. */
  proxy: number;
  /** As CATTLEGRID_MIRRORS takes them. */
  mirrors: string;
  authority: string;
  /** Whether any server was sent this. */
  saw(token: string): boolean;
  close(): Promise<void>;
}

const TLS_NAMES = ["web.example", "api.example", "part.example", "chat.example"];

export async function openOutside(): Promise<Outside> {
  const known = createCertificates(TLS_NAMES);
  const strange = createCertificates(["wrong.example"]);
  const seen: string[] = [];
  const sockets = new Set<Socket>();
  const servers: Server[] = [];
  const open = async (serve: (socket: Socket) => void): Promise<number> => {
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.once("close", () => sockets.delete(socket)).on("error", () => undefined);
      serve(socket);
    });
    servers.push(server);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return (server.address() as AddressInfo).port;
  };
  const remember = (bytes: Buffer): void => void seen.push(bytes.toString("latin1"));
  const greet = (socket: Socket): void => void socket.on("data", remember).end(GREETING);
  const port = await open(greet);
  const proxy = await open((socket) => serveConnect(socket, remember));
  const web = await open((socket) => serveHttp(socket, remember));
  const secure = await open((socket) => serveTls(socket, contextOf(known), remember));
  const wrong = await open((socket) => serveTls(socket, contextOf(strange), remember));
  const mirrors = [
    ...["a.x.example", "b.w.example", "no.w.example", "other.x.example"].map((name) => [
      name,
      7000,
      port,
    ]),
    ["web.example", 80, web],
    ...TLS_NAMES.map((name) => [name, 443, secure]),
    ["wrong.example", 443, wrong],
  ];
  return {
    port,
    proxy,
    mirrors: mirrors.map(([name, from, to]) => `${name}:${from}=127.0.0.1:${to}`).join(","),
    authority: known.authority,
    saw: (token) => seen.some((text) => text.includes(token)),
    async close() {
      for (const socket of sockets) socket.destroy();
      for (const server of servers) await new Promise((resolve) => server.close(resolve));
    },
  };
}

function contextOf({
  privateKey: key,
  certificate: cert,
}: {
  privateKey: string;
  certificate: string;
}) {
  return createSecureContext({ key, cert });
}

/** Answers each head that comes, however odd it is, and ends when one asks for that. */
function serveHttp(socket: Socket, remember: (bytes: Buffer) => void): void {
  let text = "";
  socket.on("data", (bytes: Buffer) => {
    remember(bytes);
    text += bytes.toString("latin1");
    for (let end = text.indexOf("\r\n\r\n"); end >= 0; end = text.indexOf("\r\n\r\n")) {
      const head = text.slice(0, end);
      text = text.slice(end + 4);
      socket.write(answer(head));
      if (/^(Connection: close|Upgrade: websocket)/m.test(head)) socket.end();
    }
  });
}

function answer(head: string): string {
  if (/^Upgrade: websocket/m.test(head)) {
    const fields = ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Accept: x"];
    return `HTTP/1.1 101 Switching Protocols\r\n${fields.join("\r\n")}\r\n\r\n${GREETING}`;
  }
  const [, moved] = /^GET \/moved\/(\S+)/.exec(head) ?? [];
  if (moved !== undefined) {
    return `HTTP/1.1 302 Found\r\nLocation: http://${moved}\r\nContent-Length: 0\r\n\r\n`;
  }
  return `HTTP/1.1 200 OK\r\nContent-Length: ${GREETING.length}\r\n\r\n${GREETING}`;
}

function serveConnect(socket: Socket, remember: (bytes: Buffer) => void): void {
  socket.once("data", (head: Buffer) => {
    remember(head);
    socket.on("data", remember);
    socket.end(`HTTP/1.1 200 Established\r\n\r\n${GREETING}`);
  });
}

function serveTls(
  raw: Socket,
  secureContext: SecureContext,
  remember: (bytes: Buffer) => void,
): void {
  raw.once("data", (bytes: Buffer) => {
    remember(bytes);
    raw.pause();
    raw.unshift(bytes);
    const ALPNProtocols = ["h2", "http/1.1"];
    const socket = new TLSSocket(raw, { isServer: true, secureContext, ALPNProtocols });
    socket.on("error", () => raw.destroy());
    socket.once("secure", () => {
      if (socket.alpnProtocol !== "h2") return serveHttp(socket, remember);
      // Only a tls.Server clears this, and node:http2 waits for it.
      Object.assign(socket, { secureConnecting: false });
      const session = performServerHandshake(socket);
      session.on("error", () => undefined);
      session.on("stream", (stream, headers) => {
        remember(Buffer.from(String(headers[":path"])));
        stream.on("error", () => undefined);
        stream.respond({ ":status": 200 });
        stream.end(GREETING);
        session.close();
      });
    });
  });
}
