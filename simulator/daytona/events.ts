import { EventEmitter } from "node:events";
import type { FakeSandbox, SandboxState } from "./sandbox.ts";
import type { Terminal } from "./toolbox/terminal.ts";

interface EventMap {
  /** A sandbox was accepted. */
  sandbox: [FakeSandbox];
  /** A terminal was made in a sandbox. */
  terminal: [FakeSandbox, Terminal];
  /** A client asked for a sandbox. */
  poll: [FakeSandbox];
  /** A sandbox changed its state; with the old one. */
  state: [FakeSandbox, SandboxState];
}

export type Events = EventEmitter<EventMap>;

export function createEvents(): Events {
  return new EventEmitter<EventMap>().setMaxListeners(0);
}
