import { STATUS_CODES, type IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { WebSocketServer, type WebSocket } from "ws";
import type { Answer, Call } from "./exchange.ts";
import type { TerminalFault } from "./faults.ts";
import { Refusal } from "./refusal.ts";

export const EXIT_CONTROL = "X-Daytona-Pty-Exit-Control";
const ENVIRONMENT = "X-Daytona-Pty-Envs~";
const SDK_VERSION = "X-Daytona-SDK-Version~";
const MAX_FRAME_BYTES = 64 * 1024;

/** A connection whose client asks for a WebSocket. */
export interface Handshake {
  message: IncomingMessage;
  socket: Duplex;
  head: Buffer;
}

export type UpgradeCall = Omit<Call, "message" | "signal"> & { protocols: readonly string[] };

export function readUpgrade(message: IncomingMessage): UpgradeCall {
  const url = new URL(message.url ?? "/", "http://fake.invalid");
  const offered = message.headers["sec-websocket-protocol"] ?? "";
  return {
    method: message.method ?? "GET",
    path: url.pathname,
    query: url.searchParams,
    headers: message.headers,
    protocols: offered.split(",").map((each) => each.trim()),
  };
}

/** Exactly one of the offered subprotocols is echoed: that for exits before any other. */
export async function accept(
  { message, socket, head }: Handshake,
  { protocols }: UpgradeCall,
  fault: TerminalFault | undefined,
): Promise<WebSocket> {
  const echoed = protocols.includes(EXIT_CONTROL)
    ? EXIT_CONTROL
    : (protocols.find((each) => each.startsWith(ENVIRONMENT)) ??
      protocols.find((each) => each.startsWith(SDK_VERSION)));
  const isEchoed = fault?.kind !== "no-subprotocol" && echoed !== undefined;
  const server = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_FRAME_BYTES,
    perMessageDeflate: false,
    handleProtocols: () => (isEchoed ? echoed : false),
  });
  const { promise, resolve } = Promise.withResolvers<WebSocket>();
  server.handleUpgrade(message, socket, head, resolve);
  return promise;
}

/** The environment travels as a subprotocol, so that browsers can send it too. */
export function readEnvironment({ protocols }: UpgradeCall): Record<string, string> {
  const token = protocols.find((each) => each.startsWith(ENVIRONMENT));
  if (token === undefined) return {};
  try {
    const text = Buffer.from(token.slice(ENVIRONMENT.length), "base64url").toString();
    return JSON.parse(text) as Record<string, string>;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new Refusal(["daemon", 400], "invalid environment in subprotocol");
  }
}

/** Answers in HTTP and ends the connection. */
export function refuseUpgrade(socket: Duplex, answer: Answer): void {
  const { status, json, headers = {} } = answer;
  const given = typeof answer.body === "string" ? answer.body : "";
  const body = json === undefined ? given : JSON.stringify(json);
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? "Error"}`,
    ...(json === undefined ? [] : ["Content-Type: application/json; charset=utf-8"]),
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    `Content-Length: ${Buffer.byteLength(body)}`,
    "Connection: close",
  ];
  socket.end(`${lines.join("\r\n")}\r\n\r\n${body}`);
}
