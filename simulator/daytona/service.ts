import type { Account } from "./account.ts";
import type { ServiceClock } from "./clock.ts";
import type { Events } from "./events.ts";
import type { Answer, Call, Parameters } from "./exchange.ts";
import type { Faults } from "./faults.ts";
import type { FakeSandbox } from "./sandbox.ts";
import { toListItem, toSandboxDto } from "./sandbox-view.ts";
import type { Sandboxes } from "./sandboxes.ts";
import type { Snapshots } from "./snapshots.ts";
import type { Quota } from "./quota.ts";

/** Everything that routes work on. */
export interface Service {
  readonly sandboxes: Sandboxes;
  readonly snapshots: Snapshots;
  readonly faults: Faults;
  readonly clock: ServiceClock;
  readonly events: Events;
  readonly quota: Quota;
  readonly account: Account;
  /** Whether changes of state are told by Socket.IO. */
  readonly tellsStates: boolean;
  /** The shell of terminals and commands: `bash` as in the slim image, or `zsh` as in the full one. */
  readonly shell: string;
  /** Where it listens, as `http://127.0.0.1:4321`. */
  readonly origin: string;
}

export type ControlHandler = (
  service: Service,
  call: Call,
  parameters: Parameters,
) => Answer | Promise<Answer>;
export type ControlRoutes = Readonly<Record<string, ControlHandler>>;

export function toolboxUrl({ origin }: Service): string {
  return `${origin}/toolbox`;
}

export function dto(service: Service, sandbox: FakeSandbox): Answer {
  return { status: 200, json: toSandboxDto(sandbox, toolboxUrl(service)) };
}

export function listItem(service: Service, sandbox: FakeSandbox): object {
  return toListItem(sandbox, toolboxUrl(service));
}
