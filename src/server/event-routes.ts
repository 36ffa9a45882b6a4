import type { EngineEvent } from "../protocol/engine-event.ts";
import { EVENT_ROUTES } from "../protocol/routes/event.ts";
import type { Api } from "./api.ts";
import { authorise, isAuthorised, type Principal } from "./authorise.ts";
import { closedSignal, sendEvents } from "./event-stream.ts";
import { serve } from "./serve.ts";

export function addEventRoutes(api: Api): void {
  const { engine, logger } = api;
  serve(api, EVENT_ROUTES.followEvents, async ({ principal, request, reply }) => {
    authorise(principal, "read", { kind: "sandbox", owner: principal.id });
    const signal = closedSignal(reply);
    const after = request.headers["last-event-id"];
    const events = engine.events.read({ signal, ...(typeof after === "string" ? { after } : {}) });
    await sendEvents(reply, onlyTheirs(events, principal), { logger, signal, opensAtOnce: true });
  });
}

/** SECURITY: an event is its sandbox's owner's. A gap says only that something is missing. */
async function* onlyTheirs(
  events: AsyncIterable<EngineEvent>,
  principal: Principal,
): AsyncGenerator<EngineEvent> {
  for await (const event of events) {
    const isTheirs =
      event.type === "gap" ||
      isAuthorised(principal, "read", { kind: "sandbox", owner: event.owner });
    if (isTheirs) yield event;
  }
}
