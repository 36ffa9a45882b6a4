import type { FastifyRequest } from "fastify";
import { sessionCreateSchema, turnCreateSchema } from "../protocol/session.ts";
import { openSandbox, openSession, type Api, type IdParameters } from "./api.ts";
import { closedSignal, sendEvents } from "./event-stream.ts";
import { readBody } from "./request-body.ts";

interface TurnParameters {
  Params: { id: string; turnId: string };
}

export function addSessionRoutes(api: Api): void {
  const { app, engine, logger } = api;
  const { sessions } = engine;

  app.post<IdParameters>("/v1/sandboxes/:id/sessions", async (request, reply) => {
    const { id, owner } = await openSandbox(api, request, "use");
    const body = readBody(sessionCreateSchema, request.body);
    return reply.code(201).send(await sessions.create(owner, id, body));
  });

  app.get<IdParameters>("/v1/sandboxes/:id/sessions", async (request) => {
    const { id } = await openSandbox(api, request, "read");
    return { sessions: await sessions.list(id) };
  });

  app.get<IdParameters>("/v1/sessions/:id", async (request) => {
    const { id } = await openSession(api, request, "read");
    return sessions.get(id);
  });

  app.delete<IdParameters>("/v1/sessions/:id", async (request, reply) => {
    const { id } = await openSession(api, request, "remove");
    await sessions.end(id);
    return reply.code(204).send();
  });

  app.get<IdParameters>("/v1/sessions/:id/events", async (request, reply) => {
    const { id } = await openSession(api, request, "read");
    const signal = closedSignal(reply);
    return sendEvents(reply, sessions.events(id, signal), { logger, signal, opensAtOnce: true });
  });

  app.post<IdParameters>("/v1/sessions/:id/turns", async (request, reply) => {
    const { id } = await openSession(api, request, "use");
    const body = readBody(turnCreateSchema, request.body);
    const signal = closedSignal(reply);
    return sendEvents(reply, sessions.turn(id, body, signal), { logger, signal });
  });

  app.post<TurnParameters>("/v1/sessions/:id/turns/:turnId/cancel", async (request, reply) => {
    const { id } = await openSession(api, request as FastifyRequest<IdParameters>, "use");
    await sessions.cancelTurn(id, request.params.turnId);
    return reply.code(204).send();
  });
}
