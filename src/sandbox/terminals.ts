import { randomUUID } from "node:crypto";
import { mkdirSync } from "node:fs";
import { CattlegridError } from "../errors/error.ts";
import type { Logger } from "../platform/logger.ts";
import { type Recording, Recordings } from "../terminal/recordings.ts";
import { Screens } from "../terminal/screens.ts";
import { Terminal } from "../terminal/terminal.ts";
import { Attendance } from "./life/attendance.ts";
import type { Activity } from "./life/lifetime-watch.ts";
import type { SandboxProcess } from "./process.ts";

/** How long an ended terminal waits for somebody to read what it left. */
const KEPT_MS = 60_000;

export interface TerminalOpening {
  owner: string;
  sandboxId: string;
  /** The terminal owns it from here on. */
  process: SandboxProcess;
  /** Present: the process has a controlling terminal. Absent: pipes. */
  size?: { columns: number; rows: number };
  timeoutMs?: number;
  /** The program lives no longer than somebody is attached. Default false. */
  isAttended?: boolean;
  /** Records the terminal, under this title. */
  record?: string;
}

export interface OpenedTerminal {
  readonly terminal: Terminal;
  readonly owner: string;
  readonly sandboxId: string;
  /**
   * Counts a viewer until the returned function is called, once, with whether the viewer took everything up to the
   * ending. After the last such viewer of an ended terminal nothing of it is kept.
   */
  enter(): (hasSeenEnding: boolean) => void;
}

interface KeptTerminal extends OpenedTerminal {
  viewers: number;
  attendance: Attendance | undefined;
  timer?: NodeJS.Timeout;
}

/** Every terminal of one engine, whoever made it. */
export interface Terminals {
  /** At once, so that what a process writes meanwhile always finds its reader. */
  open(opening: TerminalOpening): Promise<Terminal>;
  /** Throws TERMINAL_NOT_FOUND for one that never was, or that was read to its end. */
  get(id: string): OpenedTerminal;
  count(): number;
  /** Begins to record an open terminal, unless it is recorded already. */
  record(id: string): Promise<Recording>;
  readonly recordings: Recordings;
  /** What programs of a sandbox do: what has a terminal counts by the bytes it moves, what has none while it runs. */
  measure(sandboxId: string): Activity;
  /** Ends every program. Idempotent. */
  close(): Promise<void>;
}

export interface TerminalsOptions {
  /** For the overflow of detached output; made when it is first needed. */
  spoolDirectory: string;
  recordingsDirectory: string;
  logger: Logger;
  keptMs?: number;
}

export function createTerminals(options: TerminalsOptions): Terminals {
  const { spoolDirectory, logger, keptMs = KEPT_MS } = options;
  const open = new Map<string, KeptTerminal>();
  const screens = new Screens(logger);
  const recordings = new Recordings(options.recordingsDirectory);
  let hasSpool = false;
  const forget = async (id: string): Promise<void> => {
    const found = open.get(id);
    open.delete(id);
    clearTimeout(found?.timer);
    found?.attendance?.[Symbol.dispose]();
    await found?.terminal.dispose();
  };
  const forgetLater = (id: string): void => {
    forget(id).catch((error: unknown) => logger.error("a terminal did not close", { id, error }));
  };
  const find = (id: string): KeptTerminal => {
    const found = open.get(id);
    if (found !== undefined) return found;
    throw new CattlegridError("TERMINAL_NOT_FOUND", `There is no terminal ${id}.`);
  };
  return {
    async open(opening) {
      const { owner, sandboxId } = opening;
      if (!hasSpool) mkdirSync(spoolDirectory, { recursive: true, mode: 0o700 });
      hasSpool = true;
      const id = randomUUID();
      const recording = startRecording(opening, recordings);
      const parts = { screens, ...(recording === undefined ? {} : { recording }) };
      const terminal = createTerminal({ ...opening, id }, { ...options, ...parts });
      const attendance = opening.isAttended === true ? new Attendance(terminal, logger) : undefined;
      const entry = keepTerminal({ terminal, owner, sandboxId, attendance }, () => forgetLater(id));
      open.set(id, entry);
      void terminal.ended.then(() => {
        entry.timer = setTimeout(() => forgetLater(id), keptMs);
        entry.timer.unref();
      });
      return terminal;
    },
    get: find,
    count: () => open.size,
    recordings,
    record: (id) => recordOpen(find(id), recordings),
    measure: (sandboxId) =>
      measureTerminals([...open.values()].filter((each) => each.sandboxId === sandboxId)),
    async close() {
      await Promise.all([...open.keys()].map(forget));
      await screens.close();
    },
  };
}

/** `onSeen` is called when the last viewer has seen the ending. */
function keepTerminal(
  parts: Omit<KeptTerminal, "viewers" | "enter">,
  onSeen: () => void,
): KeptTerminal {
  const entry: KeptTerminal = {
    ...parts,
    viewers: 0,
    enter() {
      entry.viewers++;
      entry.attendance?.begin();
      return (hasSeenEnding) => {
        entry.viewers--;
        if (entry.viewers > 0) return;
        entry.attendance?.end();
        if (hasSeenEnding) onSeen();
      };
    },
  };
  return entry;
}

function measureTerminals(opened: readonly OpenedTerminal[]): Activity {
  const bytes = opened.reduce((sum, { terminal }) => sum + terminal.movedBytes, 0);
  const isCommand = ({ terminal }: OpenedTerminal): boolean =>
    !terminal.tty && terminal.endedWith === undefined;
  return { bytes, isBusy: opened.some(isCommand) };
}

function createTerminal(
  { id, process, size, timeoutMs }: TerminalOpening & { id: string },
  parts: TerminalsOptions & { screens: Screens; recording?: Recording },
): Terminal {
  const { spoolDirectory, logger, screens, recording } = parts;
  const screen = size === undefined ? undefined : screens.open(size);
  return new Terminal({
    id,
    process,
    tty: size !== undefined,
    spoolDirectory,
    ...(screen === undefined ? {} : { screen }),
    ...(recording === undefined ? {} : { recording }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    onSpoolFailure: (error) => logger.error("output could not be kept", { id, error }),
  });
}

/** Fails closed: what was to be recorded and cannot be does not run. */
function startRecording(
  { record: title, process, sandboxId, size }: TerminalOpening,
  recordings: Recordings,
): Recording | undefined {
  if (title === undefined) return undefined;
  try {
    return recordings.start({ sandboxId, title, ...(size === undefined ? {} : { size }) });
  } catch (error) {
    process.kill().catch((failure: unknown) => void failure);
    throw error;
  }
}

function recordOpen(
  { terminal, sandboxId }: KeptTerminal,
  recordings: Recordings,
): Promise<Recording> {
  return terminal.record((size) =>
    recordings.start({ sandboxId, title: terminal.id, ...(size === undefined ? {} : { size }) }),
  );
}
