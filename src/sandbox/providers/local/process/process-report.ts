import { Socket } from "node:net";

const TEXT_LENGTH_MAX = 8192;

/** What the runtime reports of one exec on a pipe of our own: a process number, or what went wrong. */
export class RuntimeReport {
  /** The program's number where the runtime runs. Resolves just before the program is executed; undefined: never. */
  readonly started: Promise<number | undefined>;
  /** Resolves when the runtime and the program have let go of the pipe. */
  readonly closed: Promise<void>;
  readonly #socket: Socket;
  #text = "";

  constructor(readFd: number) {
    this.#socket = new Socket({ fd: readFd, readable: true, writable: false });
    let markClosed = (): void => undefined;
    this.closed = new Promise((resolve) => (markClosed = resolve));
    this.started = new Promise((resolve) => {
      this.#socket.on("data", (bytes: Buffer) => {
        this.#text = (this.#text + bytes.toString("utf8")).slice(0, TEXT_LENGTH_MAX);
        const pid = this.#processNumber();
        if (pid !== undefined) resolve(pid);
      });
      this.#socket.once("close", () => {
        resolve(undefined);
        markClosed();
      });
    });
  }

  /** Messages of the runtime, in plain text. */
  get problem(): string {
    return this.#text
      .split("\n")
      .filter((line) => !/^\d*$/.test(line.trim()) && !/"level":"(warning|info|debug)"/.test(line))
      .map(readMessage)
      .join("; ");
  }

  close(): void {
    this.#socket.destroy();
  }

  /** The number comes alone, without a line end; messages are JSON objects on a line each. */
  #processNumber(): number | undefined {
    const digits = /(?:^|\n)(\d+)(?=\n|\{|$)/.exec(this.#text)?.[1];
    return digits === undefined ? undefined : Number(digits);
  }
}

function readMessage(line: string): string {
  const json = line.slice(line.indexOf("{"));
  try {
    const { msg } = JSON.parse(json) as { msg?: unknown };
    return typeof msg === "string" ? msg : line;
  } catch (error) {
    if (error instanceof SyntaxError) return line;
    throw error;
  }
}
