import { STATUS_CODES, type IncomingMessage, type Server } from "node:http";
import { constants } from "node:os";
import type { Duplex } from "node:stream";
import { WebSocket, WebSocketServer, type RawData } from "ws";
import { CattlegridError } from "../errors/error.ts";
import type { Logger } from "../platform/logger.ts";
import {
  ACKNOWLEDGE_EVERY_BYTES,
  INPUT_WINDOW_BYTES,
  STREAM_ERRORS,
  STREAM_OUTPUT,
  terminalControlSchema,
  type TerminalControl,
  type TerminalNotice,
} from "../protocol/process.ts";
import type { OpenedTerminal } from "../sandbox/terminals.ts";
import type { Attachment, TerminalEvent } from "../terminal/attachment.ts";
import type { Terminal } from "../terminal/terminal.ts";
import type { Engine } from "./api.ts";
import { authorise, type Principal } from "./authorise.ts";
import { toProblem } from "./problem.ts";
import { readBody } from "./request-body.ts";

const MESSAGE_BYTES_MAX = 16 * 1024 * 1024;
const PATH = /^\/v1\/terminals\/([^/?]+)(?:\?(.*))?$/;
const CLOSED_NORMALLY = 1000;
const CLOSED_BY_POLICY = 1008;

export interface TerminalServing {
  server: Server;
  /** Headers that every answer has. */
  versions: readonly (readonly [string, string])[];
  engine: Engine;
  logger: Logger;
  principalOf(request: IncomingMessage): Principal;
}

/** Serves `GET /v1/terminals/{id}?offset=N` as the WebSocket that src/protocol/process.ts describes. */
export function serveTerminals(options: TerminalServing): { close(): void } {
  const { server, logger, versions } = options;
  const sockets = new WebSocketServer({
    noServer: true,
    clientTracking: true,
    perMessageDeflate: false,
    maxPayload: MESSAGE_BYTES_MAX,
  });
  sockets.on("headers", (headers) => {
    headers.push(...versions.map(([name, value]) => `${name}: ${value}`));
  });
  const upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    try {
      const { opened, attachment } = attach(options, request);
      sockets.handleUpgrade(request, socket, head, (client) => {
        const input = { received: 0, taken: 0, told: 0, queue: Promise.resolve() };
        serve({ client, terminal: opened.terminal, attachment, input }, opened).catch(
          (error: unknown) => {
            logger.error("a terminal connection failed", { terminal: opened.terminal.id, error });
            client.terminate();
          },
        );
      });
    } catch (error) {
      refuse(socket, error);
    }
  };
  server.on("upgrade", upgrade);
  return {
    close() {
      server.off("upgrade", upgrade);
      for (const client of sockets.clients) client.terminate();
    },
  };
}

function attach(
  { engine, principalOf }: TerminalServing,
  request: IncomingMessage,
): { opened: OpenedTerminal; attachment: Attachment } {
  const path = PATH.exec(request.url ?? "");
  if (path?.[1] === undefined) {
    throw new CattlegridError("REQUEST_INVALID", `${request.url} is not part of this API.`);
  }
  const opened = engine.terminals.get(decodeURIComponent(path[1]));
  authorise(principalOf(request), "use", { kind: "terminal", owner: opened.owner });
  const text = new URLSearchParams(path[2]).get("offset");
  const offset = text === null ? undefined : Number(text);
  if (offset !== undefined && !(Number.isSafeInteger(offset) && offset >= 0)) {
    throw new CattlegridError("REQUEST_INVALID", `${text} is not an offset.`);
  }
  return { opened, attachment: opened.terminal.attach(offset === undefined ? {} : { offset }) };
}

/** Answers as HTTP what cannot become a WebSocket. */
function refuse(socket: Duplex, error: unknown): void {
  const problem = toProblem(error);
  const body = JSON.stringify(problem);
  const head = [
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status] ?? "Refused"}`,
    "content-type: application/problem+json",
    `content-length: ${Buffer.byteLength(body)}`,
    "connection: close",
  ];
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`);
}

async function serve(connection: Connection, opened: OpenedTerminal): Promise<void> {
  const { client, terminal, attachment } = connection;
  const leave = opened.enter();
  client.on("close", (code) => {
    attachment.detach();
    // The client answers our closing after it took everything before it.
    leave(code === CLOSED_NORMALLY && terminal.endedWith !== undefined);
  });
  client.on("error", () => attachment.detach());
  client.on("message", (data, isBinary) => receive(connection, data, isBinary));
  notify(client, {
    type: "attached",
    terminalId: terminal.id,
    offset: attachment.acknowledged,
    tty: terminal.tty,
  });
  for await (const event of attachment.events()) {
    if (client.readyState !== WebSocket.OPEN) return;
    send(client, event);
  }
  client.close(CLOSED_NORMALLY);
}

/** What may be under way is bounded by the attachment's window, so nothing here waits for the socket. */
function send(client: WebSocket, event: TerminalEvent): void {
  if (event.kind === "ended") {
    notify(client, { type: "ended", ending: event.ending, offset: event.offset });
    return;
  }
  const frame = Buffer.allocUnsafe(event.bytes.length + 1);
  frame[0] = event.stream === "output" ? STREAM_OUTPUT : STREAM_ERRORS;
  event.bytes.copy(frame, 1);
  client.send(frame);
}

function notify(client: WebSocket, notice: TerminalNotice): void {
  client.send(JSON.stringify(notice));
}

interface Connection {
  client: WebSocket;
  terminal: Terminal;
  attachment: Attachment;
  /** Bytes of input: received, handed to the program, and told to the client as such; one write after the other. */
  input: { received: number; taken: number; told: number; queue: Promise<void> };
}

function receive(connection: Connection, data: RawData, isBinary: boolean): void {
  const { client } = connection;
  const handled = isBinary
    ? receiveInput(connection, toBuffer(data))
    : receiveControl(connection, toBuffer(data).toString("utf8"));
  handled.catch((error: unknown) => {
    notify(client, { type: "problem", problem: toProblem(error) });
    client.close(CLOSED_BY_POLICY);
  });
}

/** A program that does not read holds back who types, not the daemon's memory. */
async function receiveInput(connection: Connection, bytes: Buffer): Promise<void> {
  const { client, terminal, input } = connection;
  input.received += bytes.length;
  // Acknowledgements of output come the same way, so a client that keeps to its window is never stopped.
  if (input.received - input.taken > INPUT_WINDOW_BYTES) client.pause();
  input.queue = input.queue.then(() => terminal.write(bytes));
  await input.queue;
  input.taken += bytes.length;
  if (client.isPaused && input.received - input.taken <= INPUT_WINDOW_BYTES) client.resume();
  if (input.taken - input.told < ACKNOWLEDGE_EVERY_BYTES) return;
  input.told = input.taken;
  notify(client, { type: "input-taken", bytes: input.taken });
}

async function receiveControl(connection: Connection, text: string): Promise<void> {
  const { terminal, attachment } = connection;
  const control = readControl(text);
  switch (control.type) {
    case "acknowledge":
      return attachment.acknowledge(control.offset);
    case "resize":
      return terminal.resize({ columns: control.columns, rows: control.rows });
    case "signal":
      return terminal.signal(readSignal(control.signal));
    case "end-input":
      await connection.input.queue;
      return terminal.endInput();
    case "kill":
      return terminal.kill();
  }
}

function readControl(text: string): TerminalControl {
  try {
    return readBody(terminalControlSchema, JSON.parse(text));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new CattlegridError("REQUEST_INVALID", "A control message is not JSON.");
  }
}

function readSignal(name: string): NodeJS.Signals {
  if (Object.hasOwn(constants.signals, name)) return name as NodeJS.Signals;
  throw new CattlegridError("REQUEST_INVALID", `${name} is not a signal.`);
}

function toBuffer(data: RawData): Buffer {
  if (Buffer.isBuffer(data)) return data;
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data);
}
