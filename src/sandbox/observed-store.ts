import type { SandboxRepository, SandboxRow } from "../store/sandbox-rows.ts";
import type { SessionRepository, SessionRow } from "../store/session-rows.ts";
import type { Store } from "../store/store.ts";
import type { EngineEvents } from "./engine-events.ts";

/** A store that tells of what was written, once it is. */
export function observeStore(store: Store, events: EngineEvents): Store {
  return {
    ...store,
    sandboxes: observeSandboxes(store.sandboxes, events),
    sessions: observeSessions(store.sessions, events),
    close: () => store.close(),
  };
}

function observeSandboxes(sandboxes: SandboxRepository, events: EngineEvents): SandboxRepository {
  const tell = (row: SandboxRow | undefined, status?: "removed"): void => {
    if (row === undefined) return;
    const { id: sandboxId, owner, name, agent, statusReason } = row;
    const reason = statusReason === undefined ? {} : { statusReason };
    const what = { type: "sandbox", status: status ?? row.status } as const;
    events.append({ ...what, owner, sandboxId, name, agent, ...reason });
  };
  return {
    ...sandboxes,
    async insert(row) {
      const isNew = await sandboxes.insert(row);
      if (isNew) tell(row);
      return isNew;
    },
    async update(id, change) {
      await sandboxes.update(id, change);
      if (change.status !== undefined) tell(await sandboxes.get(id));
    },
    async remove(id) {
      const row = await sandboxes.get(id);
      await sandboxes.remove(id);
      tell(row, "removed");
    },
  };
}

function observeSessions(sessions: SessionRepository, events: EngineEvents): SessionRepository {
  const tell = (row: SessionRow | undefined): void => {
    if (row === undefined) return;
    const { id: sessionId, owner, sandboxId, agent, kind, status, exitCode } = row;
    const ended = exitCode === undefined ? {} : { exitCode };
    events.append({ type: "session", owner, sandboxId, sessionId, agent, kind, status, ...ended });
  };
  return {
    ...sessions,
    async insert(row) {
      await sessions.insert(row);
      tell(row);
    },
    async update(id, change) {
      await sessions.update(id, change);
      if (change.status !== undefined) tell(await sessions.get(id));
    },
    async lose(at, sandboxId) {
      const lost = await sessions.lose(at, sandboxId);
      for (const id of lost) tell(await sessions.get(id));
      return lost;
    },
  };
}
