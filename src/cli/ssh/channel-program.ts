import { constants } from "node:os";
import type { ServerChannel } from "ssh2";
import { asCattlegridError } from "../../errors/error.ts";
import type { Exec, ProcessStarted, TerminalSize } from "../../protocol/process.ts";
import { type Api, sandboxPath } from "../api.ts";
import { exitCodeOfEnding } from "../terminal/ending.ts";
import { renderError } from "../output/error-text.ts";
import { TerminalLink } from "../terminal/terminal-link.ts";
import { ChannelOutput } from "./channel-output.ts";

/** What OpenSSH ends with when it was not the command that ended. */
const EXIT_FAILED = 255;

export interface ChannelProgramParts {
  api: Api;
  sandbox: string;
  channel: ServerChannel;
  program: Exec;
}

/** One program inside, and the channel that it reads and writes through. */
export class ChannelProgram {
  /** When it is over and the client has heard so. Never rejects. */
  readonly over: Promise<void>;
  readonly #parts: ChannelProgramParts;
  readonly #output: ChannelOutput;
  #link: TerminalLink | undefined;
  #size: TerminalSize | undefined;
  #isLeft = false;

  constructor(parts: ChannelProgramParts) {
    this.#parts = parts;
    this.#output = new ChannelOutput(parts.channel);
    parts.channel.once("close", () => {
      this.#isLeft = true;
      // The daemon hangs up what nobody is attached to any more.
      this.#link?.[Symbol.dispose]();
    });
    this.over = this.#run().then(() => this.#output.closed);
  }

  resize(size: TerminalSize): void {
    this.#size = size;
    this.#link?.control({ type: "resize", ...size });
  }

  /** By its name in SSH, without `SIG`. */
  signal(name: string): void {
    const signal = `SIG${name}`;
    if (Object.hasOwn(constants.signals, signal)) this.#link?.control({ type: "signal", signal });
  }

  async #run(): Promise<void> {
    try {
      using link = await this.#start();
      this.#link = link;
      if (this.#isLeft) return;
      if (this.#size !== undefined) this.resize(this.#size);
      this.#forwardInput(link);
      this.#output.end(exitCodeOfEnding(await link.ending));
    } catch (thrown) {
      if (this.#isLeft) return;
      await this.#explain(thrown);
    }
  }

  async #start(): Promise<TerminalLink> {
    const { api, sandbox, program } = this.#parts;
    const path = sandboxPath(sandbox, "/exec");
    const { terminalId } = await api.post<ProcessStarted>(path, program);
    return TerminalLink.open({
      socketPath: await api.socket(),
      terminalId,
      offset: 0,
      signal: api.signal,
      sink: {
        output: (bytes) => this.#output.write(bytes),
        errors: (bytes) => this.#output.writeErrors(bytes),
      },
    });
  }

  #forwardInput(link: TerminalLink): void {
    const { channel } = this.#parts;
    const forward = async (bytes: Buffer): Promise<void> => {
      channel.pause();
      await link.sendInput(bytes);
      channel.resume();
    };
    channel.on("data", (bytes: Buffer) => void forward(bytes));
    channel.once("end", () => link.control({ type: "end-input" }));
  }

  async #explain(thrown: unknown): Promise<void> {
    const text = renderError(asCattlegridError(thrown));
    const { terminal } = this.#parts.program;
    await this.#output.writeErrors(terminal === undefined ? text : text.replaceAll("\n", "\r\n"));
    this.#output.end(EXIT_FAILED);
  }
}
