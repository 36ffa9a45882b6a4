import type { IncomingMessage } from "node:http";
import { constants } from "node:os";
import { WebSocket, WebSocketServer, type RawData } from "ws";
import { CattlegridError } from "../errors/error.ts";
import {
  ACKNOWLEDGE_EVERY_BYTES,
  INPUT_WINDOW_BYTES,
  STREAM_ERRORS,
  STREAM_OUTPUT,
  STREAM_SCREEN,
  terminalSizeSchema,
  type TerminalSize,
  terminalControlSchema,
  type TerminalControl,
  type TerminalNotice,
} from "../protocol/process.ts";
import type { OpenedTerminal } from "../sandbox/terminals.ts";
import type { Attachment, TerminalEvent } from "../terminal/attachment.ts";
import type { Terminal } from "../terminal/terminal.ts";
import { authorise } from "./authorise.ts";
import { toProblem } from "./problem.ts";
import { readBody } from "./request-body.ts";
import { TerminalFrames } from "./terminal-frames.ts";
import type { Upgrades, UpgradeServing } from "./upgrade.ts";

const MESSAGE_BYTES_MAX = 16 * 1024 * 1024;
const PATH = /^\/v1\/terminals\/([^/?]+)(?:\?(.*))?$/;
const CLOSED_NORMALLY = 1000;
const CLOSED_BY_POLICY = 1008;

/** Serves `GET /v1/terminals/{id}` as the WebSocket that src/protocol/process.ts describes. */
export function serveTerminals(serving: UpgradeServing): Upgrades {
  const { logger, versions } = serving;
  const sockets = new WebSocketServer({
    noServer: true,
    clientTracking: true,
    perMessageDeflate: false,
    maxPayload: MESSAGE_BYTES_MAX,
  });
  sockets.on("headers", (headers) => {
    headers.push(...versions.map(([name, value]) => `${name}: ${value}`));
  });
  return {
    path: PATH,
    async serve(request, socket, head) {
      const { opened, wish } = enter(serving, request);
      const { terminal } = opened;
      // What cannot be had is refused before there is a WebSocket.
      const attachment = wish.view === "bytes" ? terminal.attach(wish) : undefined;
      sockets.handleUpgrade(request, socket, head, (client) => {
        const frames = new TerminalFrames(client);
        const input = { received: 0, taken: 0, told: 0, queue: Promise.resolve() };
        serve({ client, frames, terminal, attachment, input, wish }, opened).catch(
          (error: unknown) => {
            logger.error("a terminal connection failed", { terminal: terminal.id, error });
            client.terminate();
          },
        );
      });
    },
    close() {
      for (const client of sockets.clients) client.terminate();
    },
  };
}

/** What a connection's query asks for. */
interface Wish {
  view: "bytes" | "screen";
  offset?: number;
  size?: TerminalSize;
  isReadOnly: boolean;
}

function enter(
  { engine, principalOf }: UpgradeServing,
  request: IncomingMessage,
): { opened: OpenedTerminal; wish: Wish } {
  const path = PATH.exec(request.url ?? "");
  if (path?.[1] === undefined) {
    throw new CattlegridError("REQUEST_INVALID", `${request.url} is not part of this API.`);
  }
  const opened = engine.terminals.get(decodeURIComponent(path[1]));
  const wish = readWish(new URLSearchParams(path[2]));
  const action = wish.isReadOnly ? "read" : "use";
  authorise(principalOf(request), action, { kind: "terminal", owner: opened.owner });
  return { opened, wish };
}

function readWish(query: URLSearchParams): Wish {
  const view = readWord(query, "view", ["bytes", "screen"]);
  const access = readWord(query, "access", ["use", "read"]);
  const offset = readNumber(query, "offset");
  const [columns, rows] = [readNumber(query, "columns"), readNumber(query, "rows")];
  if (offset !== undefined && view === "screen") {
    throw new CattlegridError("REQUEST_INVALID", "A screen has no offset to begin at.");
  }
  const wish = { view, isReadOnly: access === "read" };
  if (offset !== undefined) return { ...wish, offset };
  if (columns === undefined && rows === undefined) return wish;
  return { ...wish, size: readBody(terminalSizeSchema, { columns, rows }) };
}

/** The first word is what counts when nothing is said. */
function readWord<const T extends string>(
  query: URLSearchParams,
  name: string,
  words: readonly [T, ...T[]],
): T {
  const text = query.get(name);
  const found = words.find((word) => word === (text ?? words[0]));
  if (found !== undefined) return found;
  throw new CattlegridError("REQUEST_INVALID", `${name} is ${words.join(" or ")}, not ${text}.`);
}

function readNumber(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null) return undefined;
  const number = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(number)) return number;
  throw new CattlegridError("REQUEST_INVALID", `${text} is not a number for ${name}.`);
}

async function serve(connection: Connection, opened: OpenedTerminal): Promise<void> {
  const { client, terminal, wish } = connection;
  const leave = opened.enter();
  let isOpen = true;
  client.on("close", (code) => {
    isOpen = false;
    connection.attachment?.detach();
    terminal.leave(client);
    // The client answers our closing after it took everything before it.
    leave(code === CLOSED_NORMALLY && terminal.endedWith !== undefined);
  });
  client.on("error", () => connection.attachment?.detach());
  client.on("message", (data, isBinary) => receive(connection, data, isBinary));
  if (wish.size !== undefined && !wish.isReadOnly) terminal.resize(wish.size, client);
  let isOver = false;
  while (!isOver && isOpen) isOver = await view(connection);
  client.close(CLOSED_NORMALLY);
}

/** Sends one attachment's events. Resolves with false when the viewer of a screen has to look at it anew. */
async function view(connection: Connection): Promise<boolean> {
  const { client, frames, terminal } = connection;
  const shown =
    connection.attachment === undefined
      ? await terminal.attachToScreen()
      : { attachment: connection.attachment };
  const { attachment } = shown;
  connection.attachment = attachment;
  if (client.readyState !== WebSocket.OPEN) {
    attachment.detach();
    return true;
  }
  const { acknowledged: offset } = attachment;
  notify(client, { type: "attached", terminalId: terminal.id, offset, tty: terminal.tty });
  if ("screen" in shown && shown.screen !== undefined) {
    frames.send(STREAM_SCREEN, shown.screen.bytes);
  }
  for await (const event of attachment.events()) {
    if (client.readyState !== WebSocket.OPEN) return true;
    if (event.kind === "behind") {
      connection.attachment = undefined;
      return false;
    }
    send(connection, event);
  }
  return true;
}

/** What may be under way is bounded by the attachment's window, so nothing here waits for the socket. */
function send(
  { client, frames }: Connection,
  event: Exclude<TerminalEvent, { kind: "behind" }>,
): void {
  if (event.kind === "ended") {
    notify(client, { type: "ended", ending: event.ending, offset: event.offset });
    return;
  }
  frames.send(event.stream === "output" ? STREAM_OUTPUT : STREAM_ERRORS, event.bytes);
}

function notify(client: WebSocket, notice: TerminalNotice): void {
  client.send(JSON.stringify(notice));
}

interface Connection {
  client: WebSocket;
  frames: TerminalFrames;
  terminal: Terminal;
  wish: Wish;
  /** Undefined while the screen is looked at. */
  attachment: Attachment | undefined;
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
  if (connection.wish.isReadOnly) throw readOnly();
  input.received += bytes.length;
  // Acknowledgements of output come the same way, so a client that keeps to its window is never stopped.
  if (input.received - input.taken > INPUT_WINDOW_BYTES) client.pause();
  input.queue = input.queue.then(() => terminal.write(bytes, client));
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
  if (control.type === "acknowledge") return attachment?.acknowledge(control.offset);
  // SECURITY: who may only look sends nothing inside, whatever its client does.
  if (connection.wish.isReadOnly) throw readOnly();
  switch (control.type) {
    case "resize":
      return terminal.resize({ columns: control.columns, rows: control.rows }, connection.client);
    case "signal":
      return terminal.signal(readSignal(control.signal));
    case "end-input":
      await connection.input.queue;
      return terminal.endInput();
    case "kill":
      return terminal.kill();
  }
}

function readOnly(): CattlegridError {
  return new CattlegridError("TERMINAL_READ_ONLY", "This viewer may look at the terminal only.");
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
