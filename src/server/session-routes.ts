import { SESSION_ROUTES } from "../protocol/routes/session.ts";
import { openSandbox, openSession, type Api } from "./api.ts";
import { closedSignal, sendEvents } from "./event-stream.ts";
import { serve } from "./serve.ts";

export function addSessionRoutes(api: Api): void {
  const { engine, logger } = api;
  const { sessions } = engine;

  serve(api, SESSION_ROUTES.createSession, async ({ request, body }) => {
    const { id, owner } = await openSandbox(api, request, "use");
    return sessions.create(owner, id, body());
  });

  serve(api, SESSION_ROUTES.listSessions, async ({ request }) => {
    const { id } = await openSandbox(api, request, "read");
    return { sessions: await sessions.list(id) };
  });

  serve(api, SESSION_ROUTES.getSession, async ({ request }) => {
    const { id } = await openSession(api, request, "read");
    return sessions.get(id);
  });

  serve(api, SESSION_ROUTES.endSession, async ({ request }) => {
    const { id } = await openSession(api, request, "remove");
    await sessions.end(id);
  });

  serve(api, SESSION_ROUTES.followSession, async ({ request, reply }) => {
    const { id } = await openSession(api, request, "read");
    const signal = closedSignal(reply);
    await sendEvents(reply, sessions.events(id, signal), { logger, signal, opensAtOnce: true });
  });

  serve(api, SESSION_ROUTES.runTurn, async ({ request, reply, body }) => {
    const { id } = await openSession(api, request, "use");
    const signal = closedSignal(reply);
    await sendEvents(reply, sessions.turn(id, body(), signal), { logger, signal });
  });

  serve(api, SESSION_ROUTES.cancelTurn, async ({ request }) => {
    const { id } = await openSession(api, request, "use");
    await sessions.cancelTurn(id, request.params.turnId);
  });
}
