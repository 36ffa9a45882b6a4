import { finished } from "node:stream/promises";
import type { WebSocket } from "ws";
import type { TerminalFault } from "../faults.ts";
import type { Machine, Program, ProgramEnding } from "../machine.ts";
import { TerminalClient } from "./terminal-client.ts";

export interface TerminalOptions {
  id: string;
  columns: number;
  rows: number;
  cwd: string;
  environment: Readonly<Record<string, string>>;
  lazyStart: boolean;
  createdAt: string;
  /** The shell's name, as `bash` or `zsh`. */
  shell: string;
  fault: TerminalFault | undefined;
}

/** How it ended, as the exit control frame and the close frame tell it. */
interface Exit {
  exitCode: number;
  exitReason?: string;
}

const MAX_CHUNK_BYTES = 32 * 1024;
const QUEUE_CHUNKS = 256;

/** One PTY of a sandbox: an interactive login shell for real, and the clients that look at it. */
export class Terminal {
  readonly options: TerminalOptions;
  readonly #clients = new Set<TerminalClient>();
  readonly #onEnd: () => void;
  #size: { columns: number; rows: number };
  #program: Program | undefined;
  #started: Promise<void> | undefined;
  #isKilled = false;
  /** What a fault keeps back of the program's output. */
  #held = Buffer.alloc(0);
  #sentBytes = 0;
  #typedBytes = 0;
  /** Lets the shell come that a fault keeps back. */
  #openGate: (() => Promise<unknown>) | undefined;
  /** Typed before the shell was there. */
  readonly #early: Buffer[] = [];

  constructor(options: TerminalOptions, onEnd: () => void) {
    this.options = options;
    this.#onEnd = onEnd;
    this.#size = { columns: options.columns, rows: options.rows };
  }

  get isActive(): boolean {
    return this.#program !== undefined;
  }

  get clientCount(): number {
    return this.#clients.size;
  }

  toInfo(): object {
    const { id, cwd, environment: envs, createdAt, lazyStart } = this.options;
    const { columns: cols, rows } = this.#size;
    return { id, cwd, envs, cols, rows, createdAt, active: this.isActive, lazyStart };
  }

  /** Starts the shell; once only. */
  async start(machine: Machine): Promise<void> {
    await (this.#started ??= this.#launch(machine));
  }

  async #launch(machine: Machine): Promise<void> {
    const { shell, environment, cwd, fault } = this.options;
    const login = [shell, "-i", "-l"];
    const gate = fault?.kind === "hold-shell" ? `/tmp/.fake-shell-${this.options.id}` : undefined;
    const held = ["sh", "-c", 'until [ -e "$0" ]; do sleep 0.02; done; exec "$@"', gate ?? ""];
    const program = await machine.run({
      argv: gate === undefined ? login : [...held, ...login],
      cwd,
      environment: { TERM: "xterm-256color", ...environment },
      terminal: this.#size,
    });
    this.#program = program;
    this.#openGate = gate === undefined ? undefined : () => machine.run({ argv: ["touch", gate] });
    for (const bytes of this.#early.splice(0)) this.write(bytes);
    program.output.on("data", (bytes: Buffer) => this.#take(bytes));
    // A killed one's output is cut off rather than ended.
    const drained = finished(program.output).catch(() => undefined);
    void Promise.all([program.ended, drained]).then(([ending]) => this.#exit(ending));
  }

  /** Takes a client; what the program wrote before is not repeated. */
  attach(socket: WebSocket, hasExitControl: boolean): void {
    const { fault } = this.options;
    const queueChunks = fault?.kind === "short-queue" ? fault.chunks : QUEUE_CHUNKS;
    const client = new TerminalClient(socket, { hasExitControl, queueChunks });
    this.#clients.add(client);
    socket.on("close", () => this.#clients.delete(client));
    socket.on("error", () => this.#clients.delete(client));
    socket.on("message", (data) => {
      if (!client.isSilent) this.write(data as Buffer);
    });
    const connected = (): void => client.control({ status: "connected" });
    if (fault?.kind === "late-connected") void fault.until.then(connected);
    else connected();
  }

  write(bytes: Buffer): void {
    if (this.#program === undefined) return void this.#early.push(bytes);
    this.#program.input.write(bytes, () => this.#typed(bytes.length));
  }

  #typed(bytes: number): void {
    this.#typedBytes += bytes;
    const { fault } = this.options;
    if (fault?.kind !== "hold-shell" || this.#typedBytes < fault.bytes) return;
    void this.#openGate?.();
    this.#openGate = undefined;
  }

  resize(columns: number, rows: number): void {
    this.#size = { columns, rows };
    this.#program?.resize(this.#size);
  }

  /** `DELETE`: every program in it is killed, and clients are told 137. */
  async kill(): Promise<void> {
    this.#isKilled = true;
    await this.#started;
    if (this.#program === undefined) this.#onEnd();
    else await this.#program.kill();
  }

  /** Tears every connection down without a word; the program runs on. */
  drop(): void {
    for (const client of this.#clients) client.drop();
    this.#clients.clear();
  }

  /** Half open from now on: nothing goes through, and the connections stay. */
  silence(): void {
    for (const client of this.#clients) client.silence();
  }

  /** Lets a fault strike a terminal that lives already; bytes count from now on. */
  arm(fault: TerminalFault): void {
    this.options.fault = fault;
    this.#sentBytes = 0;
  }

  /** Closes every connection with a frame; the program runs on. */
  close(code: number, reason: string): void {
    for (const client of this.#clients) client.close(code, reason);
    this.#clients.clear();
  }

  /** The machine under it goes away. */
  async lose(): Promise<void> {
    this.drop();
    // A start that failed was told to whoever asked for it, and has left nothing to end.
    await this.#started?.catch(() => undefined);
    await this.#program?.kill();
  }

  #take(bytes: Buffer): void {
    const { fault } = this.options;
    if (fault?.kind !== "lose-tail" && fault?.kind !== "early-exit") return this.#send(bytes);
    const all = Buffer.concat([this.#held, bytes]);
    const sendable = Math.max(0, all.length - fault.bytes);
    this.#held = all.subarray(sendable);
    this.#send(all.subarray(0, sendable));
  }

  #send(bytes: Buffer): void {
    for (let start = 0; start < bytes.length; start += MAX_CHUNK_BYTES) {
      const chunk = bytes.subarray(start, start + MAX_CHUNK_BYTES);
      for (const client of this.#clients) {
        if (!client.output(chunk)) this.#clients.delete(client);
      }
    }
    this.#sentBytes += bytes.length;
    this.#strike();
  }

  /** A fault that comes after so many bytes comes once: whoever attaches again is served. */
  #strike(): void {
    const { fault } = this.options;
    if (fault === undefined || !("afterBytes" in fault) || this.#sentBytes < fault.afterBytes)
      return;
    this.options.fault = undefined;
    if (fault.kind === "drop") this.drop();
    else if (fault.kind === "half-open") this.silence();
    else this.close(fault.code, fault.reason);
  }

  #exit(ending: ProgramEnding): void {
    const exit = this.#isKilled ? KILLED : toExit(ending);
    const { fault } = this.options;
    for (const client of this.#clients) {
      client.exited(exit);
      const finish = (): void => {
        if (fault?.kind === "early-exit") client.output(this.#held);
        client.close(exit.exitCode === 0 ? 1000 : 1011, JSON.stringify(exit));
      };
      if (fault?.kind === "early-exit") void fault.until.then(finish);
      else finish();
    }
    this.#clients.clear();
    this.#onEnd();
  }
}

const KILLED: Exit = { exitCode: 137, exitReason: "SIGKILL" };

/** A signal's death is -1 here, as the daemon has it. */
function toExit({ code, signal }: ProgramEnding): Exit {
  if (code === 0) return { exitCode: 0 };
  return { exitCode: signal === undefined ? code : -1, exitReason: "non-zero exit" };
}
