import { LOGIN_ROUTES } from "../protocol/routes/login.ts";
import type { Logins } from "../session/sign-in/logins.ts";
import type { Api } from "./api.ts";
import { authorise, type Action, type Principal } from "./authorise.ts";
import { closedSignal } from "./event-stream.ts";
import { serve } from "./serve.ts";

export function addLoginRoutes(api: Api): void {
  serve(api, LOGIN_ROUTES.listLogins, async ({ principal, reply }) => {
    const logins = openLogins(api, principal, "read");
    return { profiles: await logins.list(principal.id, closedSignal(reply)) };
  });

  serve(api, LOGIN_ROUTES.importLogin, async ({ principal, request, reply, body }) => {
    const logins = openLogins(api, principal, "create");
    const place = { owner: principal.id, ...request.params };
    return logins.importBundle(place, body(), closedSignal(reply));
  });

  serve(api, LOGIN_ROUTES.exportLogin, async ({ principal, request, reply }) => {
    const logins = openLogins(api, principal, "use");
    const place = { owner: principal.id, ...request.params };
    const bundle = await logins.exportBundle(place, closedSignal(reply));
    return reply.type("application/zstd").send(bundle);
  });

  serve(api, LOGIN_ROUTES.removeLogin, async ({ principal, request, reply }) => {
    const logins = openLogins(api, principal, "remove");
    await logins.remove({ owner: principal.id, ...request.params }, closedSignal(reply));
  });
}

/** Profiles are found by their owner's name alone: nobody can ask for another's. */
function openLogins({ engine }: Api, principal: Principal, action: Action): Logins {
  authorise(principal, action, { kind: "login profile", owner: principal.id });
  return engine.logins;
}
