import { request, type IncomingMessage, type ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { pipeline } from "node:stream/promises";
import { Refusal } from "./refusal.ts";
import { beginActivity } from "./routing.ts";
import type { FakeSandbox } from "./sandbox.ts";
import type { Service } from "./service.ts";

const TOKEN_HEADER = "x-daytona-preview-token";
const TOKEN_PARAMETER = "DAYTONA_SANDBOX_AUTH_KEY";

/** What a host name such as `3000-SANDBOX.localhost` leads to. */
export interface Preview {
  sandbox: FakeSandbox;
  port: number;
  /** Whether the name itself is the permission. */
  isSigned: boolean;
}

/** Undefined when the request is for the service itself. */
export function findPreview(service: Service, message: IncomingMessage): Preview | undefined {
  const label = /^(\d+)-([^.]+)\.localhost(:\d+)?$/.exec(message.headers.host ?? "");
  const [, port = "", name = ""] = label ?? [];
  if (label === null) return undefined;
  const now = service.clock.now();
  for (const sandbox of service.sandboxes.list()) {
    if (sandbox.id === name) return { sandbox, port: Number(port), isSigned: false };
    const link = sandbox.links.get(name);
    if (link === undefined || link.port !== Number(port)) continue;
    if (link.expiresAt > now) return { sandbox, port: link.port, isSigned: true };
  }
  return undefined;
}

/** Relays one HTTP exchange to a port of the sandbox. Throws what the proxy answers itself. */
export async function servePreview(
  service: Service,
  preview: Preview,
  [message, response]: readonly [IncomingMessage, ServerResponse],
): Promise<void> {
  if (!isPermitted(preview, message)) {
    response.writeHead(307, { location: `${service.origin}/login` }).end();
    return;
  }
  const end = beginActivity(service, preview.sandbox, message.headers);
  try {
    const connection = await dial(preview);
    const { method, url: path, headers } = message;
    const asked = request({ method, path, headers, createConnection: () => connection });
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    asked.once("response", resolve).once("error", reject);
    message.pipe(asked);
    const answered = await promise;
    response.writeHead(answered.statusCode ?? 502, answered.headers);
    await pipeline(answered, response);
  } finally {
    end();
  }
}

/** Relays a connection that is to become a WebSocket, byte by byte. */
export async function servePreviewUpgrade(
  service: Service,
  preview: Preview,
  { message, socket, head }: { message: IncomingMessage; socket: Duplex; head: Buffer },
): Promise<void> {
  if (!isPermitted(preview, message)) {
    socket.end(`HTTP/1.1 307 Temporary Redirect\r\nLocation: ${service.origin}/login\r\n\r\n`);
    return;
  }
  const end = beginActivity(service, preview.sandbox, message.headers);
  socket.once("close", end);
  const connection = await dial(preview);
  const lines = [`${message.method} ${message.url} HTTP/1.1`];
  for (let at = 0; at < message.rawHeaders.length; at += 2) {
    lines.push(`${message.rawHeaders[at]}: ${message.rawHeaders[at + 1]}`);
  }
  connection.write(`${lines.join("\r\n")}\r\n\r\n`);
  connection.write(head);
  connection.on("error", () => socket.destroy());
  socket.on("error", () => connection.destroy());
  connection.pipe(socket).pipe(connection);
}

function isPermitted({ sandbox, isSigned }: Preview, message: IncomingMessage): boolean {
  if (sandbox.isPublic || isSigned) return true;
  const query = new URL(message.url ?? "/", "http://fake.invalid").searchParams;
  const given = [message.headers[TOKEN_HEADER], query.get(TOKEN_PARAMETER)];
  return given.includes(sandbox.previewToken);
}

async function dial({ sandbox, port }: Preview): Promise<Duplex> {
  const machine = sandbox.running();
  try {
    return await machine.connect(port);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Refusal(["proxy", 502], `bad gateway: ${why}`, { code: "BAD_GATEWAY" });
  }
}
