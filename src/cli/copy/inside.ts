import { once } from "node:events";
import { PassThrough } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import type { Exec, ProcessStarted, TerminalEnding } from "../../protocol/process.ts";
import { sandboxPath } from "../api.ts";
import { TerminalLink, type TerminalSink } from "../terminal/terminal-link.ts";
import type { VerbContext } from "../verb.ts";

const ERRORS_CHARACTERS_MAX = 4000;
/** What the script inside has to clear away what it made, before it is killed. */
const CLEAR_MS = 3000;

/** One half of a copy: a process in the sandbox, of which nothing is trusted. */
export class InsideProcess implements AsyncDisposable {
  readonly #link: TerminalLink;
  readonly #streams: InsideStreams;
  #hasEnded = false;

  private constructor(link: TerminalLink, streams: InsideStreams) {
    this.#link = link;
    this.#streams = streams;
    const end = (): void => {
      this.#hasEnded = true;
      streams.output.end();
    };
    // A failure of the link is told by `ending`; whoever reads finds an end too early.
    link.ending.then(end, end);
  }

  static async start(
    sandboxId: string,
    argv: readonly string[],
    { api }: VerbContext,
  ): Promise<InsideProcess> {
    const request: Exec = { argv: [...argv], attended: true };
    const path = sandboxPath(sandboxId, "/exec");
    const { terminalId } = await api.post<ProcessStarted>(path, request);
    const streams: InsideStreams = { output: new PassThrough(), errorText: "" };
    const link = await TerminalLink.open({
      socketPath: await api.socket(),
      terminalId,
      offset: 0,
      // An interruption must still reach the process, so it does not end the link.
      signal: new AbortController().signal,
      sink: openSink(streams),
    });
    return new InsideProcess(link, streams);
  }

  /** What it writes, no faster than it is read. */
  get output(): PassThrough {
    return this.#streams.output;
  }

  /** What it wrote to its standard error last. */
  get errorText(): string {
    return this.#streams.errorText.trim();
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  get ending(): Promise<TerminalEnding> {
    return this.#link.ending;
  }

  async send(bytes: Uint8Array): Promise<void> {
    await this.#link.sendInput(bytes);
  }

  endInput(): void {
    this.#link.control({ type: "end-input" });
  }

  /** Ends it, if it has not ended, and gives it time to clear away what is half made. */
  async [Symbol.asyncDispose](): Promise<void> {
    // Whatever it still writes is for nobody; it must not wait for a reader.
    this.output.destroy();
    if (!this.#hasEnded) {
      this.#link.control({ type: "signal", signal: "SIGTERM" });
      await Promise.race([Promise.allSettled([this.ending]), delay(CLEAR_MS)]);
    }
    if (!this.#hasEnded) {
      this.#link.control({ type: "kill" });
      await Promise.race([Promise.allSettled([this.ending]), delay(CLEAR_MS)]);
    }
    this.#link[Symbol.dispose]();
  }
}

interface InsideStreams {
  output: PassThrough;
  errorText: string;
}

function openSink(streams: InsideStreams): TerminalSink {
  const { output } = streams;
  return {
    async output(bytes) {
      if (output.destroyed || output.write(bytes)) return;
      const abort = new AbortController();
      const { signal } = abort;
      await Promise.race([once(output, "drain", { signal }), once(output, "close", { signal })]);
      abort.abort();
    },
    async errors(bytes) {
      const text = streams.errorText + Buffer.from(bytes).toString("utf8");
      streams.errorText = text.slice(-ERRORS_CHARACTERS_MAX);
    },
  };
}
