import { CattlegridError } from "../../errors/error.ts";
import { RawTerminal } from "../../platform/raw-terminal.ts";
import { DetachKeys } from "../../protocol/detach-keys.ts";
import type { TerminalEnding } from "../../protocol/process.ts";
import { type Caller, terminalSize, write } from "../caller.ts";
import { guardOutput } from "../output/guarded-output.ts";
import type { LinkTarget } from "./pipe.ts";
import { TerminalLink } from "./terminal-link.ts";

export type ViewEnd =
  | { kind: "ended"; ending: TerminalEnding }
  | { kind: "detached"; offset: number };

export interface ViewOptions {
  caller: Caller;
  /** The keys that leave; none when whoever leaves could not come back. */
  detachKeys?: readonly number[];
  /** Gets the link as soon as it is there. */
  onOpen?: (link: TerminalLink) => void;
}

/** Shows a terminal of the daemon on the caller's own, in raw mode, until it ends or the viewer leaves. */
export async function viewTerminal(target: LinkTarget, options: ViewOptions): Promise<ViewEnd> {
  const { caller, detachKeys } = options;
  using raw = await RawTerminal.open(caller.input, caller.output);
  const hangUp = Promise.withResolvers<never>();
  // A failure that comes before anybody waits for it is told to whoever does.
  void Promise.allSettled([hangUp.promise]);
  const guarded = guardOutput(caller, { isAnswered: target.isReadOnly !== true });
  const show = async (kind: "output" | "errors", bytes: Uint8Array): Promise<void> => {
    caller.recorder?.output(bytes);
    const shown = guarded[kind](bytes);
    raw.watch(shown);
    if (!(await write(caller[kind], shown))) hangUp.reject(closedTerminal());
  };
  using link = await TerminalLink.open({
    ...target,
    sink: {
      output: (bytes) => show("output", bytes),
      errors: (bytes) => show("errors", bytes),
      screen: async (bytes) => {
        await write(caller.output, `${raw.undoModes()}${clearScreen(caller)}`);
        await show("output", bytes);
      },
    },
  });
  options.onOpen?.(link);
  const isReadOnly = target.isReadOnly === true;
  using _size = isReadOnly ? undefined : followSize(caller, link);
  using keys = new Keyboard(caller, isReadOnly ? undefined : link, detachKeys);
  caller.input.once("end", () => hangUp.reject(closedTerminal()));
  const ended = link.ending.then((ending): ViewEnd => ({ kind: "ended", ending }));
  const detached = keys.detached.then(async (): Promise<ViewEnd> => {
    await link.leave();
    return { kind: "detached", offset: link.offset };
  });
  const end = await Promise.race([ended, detached, hangUp.promise]);
  await guarded.forgetAnswers();
  return end;
}

function closedTerminal(): CattlegridError {
  return new CattlegridError("INTERRUPTED", "The terminal was closed.");
}

/** Moves what is on the screen into its history, and resets what a program may have set. */
function clearScreen(caller: Caller): string {
  return `\x1b[!p\x1b[${terminalSize(caller).rows};1H${"\n".repeat(terminalSize(caller).rows)}\x1b[H\x1b[J`;
}

function followSize(caller: Caller, link: TerminalLink): Disposable {
  const tell = (): void => link.control({ type: "resize", ...terminalSize(caller) });
  const change = (): void => {
    caller.recorder?.resize(terminalSize(caller));
    tell();
  };
  tell();
  caller.output.on("resize", change);
  return { [Symbol.dispose]: () => void caller.output.off("resize", change) };
}

const CTRL_C = 0x03;

/** Sends keys inside, but for those that mean to leave. Without a link no key goes anywhere, and ctrl-c leaves too. */
class Keyboard implements Disposable {
  readonly #caller: Caller;
  readonly #link: TerminalLink | undefined;
  readonly #keys: DetachKeys | undefined;
  readonly #detached = Promise.withResolvers<void>();
  readonly #onData = (bytes: Buffer): void => void this.#send(bytes);

  constructor(
    caller: Caller,
    link: TerminalLink | undefined,
    detachKeys: readonly number[] | undefined,
  ) {
    this.#caller = caller;
    this.#link = link;
    this.#keys = detachKeys === undefined ? undefined : new DetachKeys(detachKeys);
    caller.input.on("data", this.#onData);
    caller.input.resume();
  }

  get detached(): Promise<void> {
    return this.#detached.promise;
  }

  [Symbol.dispose](): void {
    this.#caller.input.off("data", this.#onData);
    this.#caller.input.pause();
  }

  async #send(bytes: Buffer): Promise<void> {
    const read = this.#keys?.push(bytes) ?? { forward: bytes, isComplete: false };
    this.#caller.input.pause();
    if (read.forward.length > 0) await this.#link?.sendInput(read.forward);
    const isInterrupt = this.#link === undefined && bytes.includes(CTRL_C);
    if (read.isComplete || isInterrupt) this.#detached.resolve();
    else this.#caller.input.resume();
  }
}
