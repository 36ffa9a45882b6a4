import type { FastifyReply, FastifyRequest } from "fastify";
import {
  NOTHING,
  type AnswerOf,
  type BodyOf,
  type PathParameters,
  type QueryOf,
  type Route,
} from "../protocol/route.ts";
import type { Api } from "./api.ts";
import type { Principal } from "./authorise.ts";
import { readBody, readQuery } from "./request-body.ts";

/** One request on a declared route, as its handler sees it. */
export interface Call<R extends Route> {
  principal: Principal;
  request: FastifyRequest<{ Params: PathParameters<R["path"]> }>;
  reply: FastifyReply;
  query: QueryOf<R>;
  /** Reads the body by the route's schema, for after the caller was authorised. Throws REQUEST_INVALID. */
  body(): BodyOf<R>;
}

/** Gives the answer, or nothing when the route has none or the handler has sent it by itself. */
export type Handler<R extends Route> = (
  call: Call<R>,
) => Promise<AnswerOf<R> | FastifyReply | void>;

/**
 * Serves a declared route. There is no other way to add one, so that the published documents name them all. A handler
 * calls `authorise` first: itself, or by `openSandbox` and `openSession`.
 */
export function serve<const R extends Route>(api: Api, route: R, handle: Handler<R>): void {
  const { method, path, status = 200, upload } = route;
  api.app.route({
    method,
    url: path.replaceAll(/\{(\w+)\}/g, ":$1"),
    async handler(request, reply) {
      // What a request says and nobody reads is refused, not believed to have had an effect.
      if (route.body === undefined && upload === undefined) readBody(NOTHING, request.body);
      reply.code(status);
      const answer = await handle({
        principal: api.principalOf(request),
        request: request as Call<R>["request"],
        reply,
        query: readQuery(route.query ?? NOTHING, request.query) as QueryOf<R>,
        body: () => readBody(route.body ?? NOTHING, request.body) as BodyOf<R>,
      });
      if (answer !== undefined) return answer;
      return reply.sent ? undefined : reply.send();
    },
  });
}
