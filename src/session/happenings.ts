import { asCattlegridError } from "../errors/error.ts";
import type { Logger } from "../platform/logger.ts";
import type { EgressRecord } from "../protocol/egress.ts";
import type { TurnEvent } from "../protocol/session.ts";
import type { EngineEvents } from "../sandbox/engine-events.ts";
import type { WorkspaceChanges } from "../sandbox/workspace/workspace-changes.ts";
import type { SandboxRepository } from "../store/sandbox-rows.ts";

export interface TurnPlace {
  id: string;
  owner: string;
  sandboxId: string;
}

/** Tells the beginning and the end of turns; what is said in them is for whoever runs them. */
export function tellTurns(events: EngineEvents): (place: TurnPlace, event: TurnEvent) => void {
  return ({ id: sessionId, owner, sandboxId }, event) => {
    const place = { owner, sandboxId, sessionId };
    if (event.type === "turn-start") {
      const { type, turnId, number } = event;
      events.append({ type, ...place, turnId, number });
    } else if (event.type === "turn-end") {
      const { type, turnId, outcome, exitCode } = event;
      events.append({ type, ...place, turnId, outcome, exitCode });
    }
  };
}

/** Brings out what each turn changed in a copied workspace, behind it: a sandbox may be lost before anybody looks. */
export function fetchAfterTurns(
  changes: Pick<WorkspaceChanges, "fetch">,
  logger: Logger,
): (place: TurnPlace, event: TurnEvent) => void {
  return ({ sandboxId: id }, { type }) => {
    if (type !== "turn-end") return;
    changes.fetch(id, AbortSignal.timeout(FETCH_TIMEOUT_MS)).catch((error: unknown) => {
      logger.warn("what a turn changed was not brought out", { id, error });
    });
  };
}

const FETCH_TIMEOUT_MS = 10 * 60_000;

/** Tells decisions about what wants to leave. A throw-away sandbox has no row, and nobody who could be told. */
export function tellEgress(
  sandboxes: SandboxRepository,
  { events, logger }: { events: EngineEvents; logger: Logger },
): (record: EgressRecord) => void {
  const tell = async (record: EgressRecord): Promise<void> => {
    const { sandboxId } = record;
    const row = await sandboxes.get(sandboxId);
    if (row !== undefined) events.append({ type: "egress", owner: row.owner, sandboxId, record });
  };
  return (record) => {
    tell(record).catch((error: unknown) =>
      logger.warn("a decision was not told", { code: asCattlegridError(error).code }),
    );
  };
}
