import { once } from "node:events";
import { WebSocket } from "ws";
import type { TerminalNotice } from "../../src/protocol/process.ts";

/** One viewer of a terminal, which acknowledges as it reads unless told not to. */
export class TerminalClient {
  readonly socket: WebSocket;
  readonly notices: TerminalNotice[] = [];
  readonly output: Buffer[] = [];
  readonly errors: Buffer[] = [];
  readonly screens: Buffer[] = [];
  offset = 0;
  isAcknowledging = true;
  /** Resolves with the close code. */
  readonly closed: Promise<number>;

  constructor(socketFile: string, path: string) {
    this.socket = new WebSocket(`ws+unix:${socketFile}:${path}`);
    this.closed = once(this.socket, "close").then(([code]) => code as number);
    this.socket.on("message", (data: Buffer, isBinary) => {
      if (isBinary) this.#take(data);
      else this.#notice(JSON.parse(data.toString("utf8")) as TerminalNotice);
    });
  }

  static async open(socketFile: string, path: string): Promise<TerminalClient> {
    const client = new TerminalClient(socketFile, path);
    await once(client.socket, "open");
    return client;
  }

  text(): string {
    return Buffer.concat(this.output).toString("utf8");
  }

  control(message: object): void {
    this.socket.send(JSON.stringify(message));
  }

  #take(data: Buffer): void {
    const bytes = data.subarray(1);
    if (data[0] === 3) return void this.screens.push(bytes);
    (data[0] === 1 ? this.output : this.errors).push(bytes);
    this.offset += bytes.length;
    if (this.isAcknowledging) this.control({ type: "acknowledge", offset: this.offset });
  }

  #notice(notice: TerminalNotice): void {
    this.notices.push(notice);
    if (notice.type === "attached") this.offset = notice.offset;
  }
}
