import { Refusal } from "../refusal.ts";
import type { FakeSandbox } from "../sandbox.ts";
import type { Service } from "../service.ts";
import { Terminal } from "./terminal.ts";

export interface TerminalWish {
  id: string;
  columns: number;
  rows: number;
  cwd: string | undefined;
  environment: Readonly<Record<string, string>>;
  /** Whether its shell starts only when a client comes. */
  lazyStart: boolean;
}

const MAX_SIDE = 1000;

/** Adds a terminal to a sandbox; its shell does not run yet. Throws what the daemon answers. */
export function makeTerminal(service: Service, sandbox: FakeSandbox, wish: TerminalWish): Terminal {
  const machine = sandbox.running();
  const { id, columns, rows } = wish;
  if (id === "") throw new Refusal(["daemon", 400], "id is required");
  if (sandbox.terminals.has(id)) {
    throw new Refusal(["daemon", 409], `PTY session ${id} already exists`, { code: "CONFLICT" });
  }
  checkSize(columns, rows);
  const options = {
    ...wish,
    cwd: wish.cwd ?? machine.home,
    createdAt: service.clock.date().toISOString(),
    shell: service.shell,
    fault: service.faults.nextForTerminal({ sandboxId: sandbox.id, terminalId: id }),
  };
  const terminal = new Terminal(options, () => sandbox.terminals.delete(id));
  sandbox.terminals.set(id, terminal);
  service.events.emit("terminal", sandbox, terminal);
  return terminal;
}

/** Throws 400 for a size that no terminal has. */
export function checkSize(columns: number, rows: number): void {
  const isSize = (side: number): boolean => Number.isInteger(side) && side > 0 && side <= MAX_SIDE;
  if (isSize(columns) && isSize(rows)) return;
  throw new Refusal(["daemon", 400], "cols and rows must be between 1 and 1000");
}
