import { CattlegridError } from "../../errors/error.ts";
import type { Clock } from "../../platform/clock.ts";
import type { Logger } from "../../platform/logger.ts";
import { formatDuration } from "../../protocol/duration.ts";
import type { SandboxRow } from "../../store/sandbox-rows.ts";
import type { Gate } from "../egress/gates.ts";
import type { LaunchedSandbox } from "./launch.ts";
import type { SandboxSessions } from "./lifecycle.ts";
import { hasExpired } from "./lifetime.ts";
import { watchLifetimes, type Activity } from "./lifetime-watch.ts";
import type { Ports } from "../ports/ports.ts";
import type { Terminals } from "../terminals.ts";

export interface LifetimesOptions {
  clock: Clock;
  terminals: Pick<Terminals, "measure">;
  sessions: Pick<SandboxSessions, "isWorking" | "tell">;
  ports: Pick<Ports, "movedBytes">;
  stop(sandboxId: string, reason: string): Promise<void>;
  logger: Logger;
}

/** How long the sandboxes of one engine run. */
export interface Lifetimes {
  /** Stops it when its time is over, and tells those who look at it before. */
  follow(row: SandboxRow, launched: LaunchedSandbox): void;
  /** Milliseconds since 1970; undefined when it does not run, or has no idle stop. */
  idleStopsAt(sandboxId: string): number | undefined;
  /** Throws SANDBOX_EXPIRED. */
  refuseExpired(row: SandboxRow): void;
}

export function createLifetimes(options: LifetimesOptions): Lifetimes {
  const { clock, terminals, sessions, ports, logger } = options;
  const gates = new Map<string, Gate>();
  const measure = (id: string): Activity => {
    const { bytes, isBusy } = terminals.measure(id);
    const received = gates.get(id)?.receivedBytes ?? 0;
    return {
      bytes: bytes + received + ports.movedBytes(id),
      isBusy: isBusy || sessions.isWorking(id),
    };
  };
  const stop = (id: string, reason: string): void => {
    sessions.tell(id, `cattlegrid: the sandbox is stopped: ${reason}.`);
    options.stop(id, reason).catch((error: unknown) => {
      logger.error("a sandbox could not be stopped", { id, reason, error });
    });
  };
  const warn = (id: string, text: string): void => sessions.tell(id, text);
  const watch = watchLifetimes({ clock, measure, warn, stop });
  return {
    follow(row, { running, gate }) {
      const { id, createdAt, specification } = row;
      gates.set(id, gate);
      void running.ended.then(() => gates.delete(id));
      const { lifetime = {} } = specification;
      watch.follow({ id, createdAtMs: Date.parse(createdAt), lifetime, ended: running.ended });
    },
    idleStopsAt: (sandboxId) => watch.idleStopsAt(sandboxId),
    refuseExpired({ name, createdAt, specification: { lifetime = {} } }) {
      if (!hasExpired(lifetime, Date.parse(createdAt), clock.now())) return;
      const age = formatDuration(lifetime.maxAgeMs ?? 0);
      throw new CattlegridError(
        "SANDBOX_EXPIRED",
        `${name} has reached its maximum age of ${age}.`,
        {
          hint: `Make it anew with \`cattlegrid recreate ${name} --keep-login\`.`,
        },
      );
    },
  };
}
