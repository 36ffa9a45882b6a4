import { SECRET_ROUTES } from "../protocol/routes/secret.ts";
import type { Api } from "./api.ts";
import { type Action, authorise, type Principal } from "./authorise.ts";
import { closedSignal } from "./event-stream.ts";
import { serve } from "./serve.ts";

/** There is no route that gives a value back. */
export function addSecretRoutes(api: Api): void {
  const { secrets, vault } = api.engine;

  serve(api, SECRET_ROUTES.listSecrets, async ({ principal, reply }) => {
    const owner = authoriseOwner(principal, "read");
    return secrets.list(owner, closedSignal(reply));
  });

  serve(api, SECRET_ROUTES.setSecret, async ({ principal, request, reply, body }) => {
    const owner = authoriseOwner(principal, "create");
    return secrets.set({ owner, name: request.params.name }, body(), closedSignal(reply));
  });

  serve(api, SECRET_ROUTES.removeSecret, async ({ principal, request, reply }) => {
    const owner = authoriseOwner(principal, "remove");
    await secrets.remove({ owner, name: request.params.name }, closedSignal(reply));
  });

  serve(api, SECRET_ROUTES.bindSecret, async ({ principal, request, reply, body }) => {
    const owner = authoriseOwner(principal, "use");
    return secrets.bind({ owner, name: request.params.name }, body(), closedSignal(reply));
  });

  serve(api, SECRET_ROUTES.unbindSecret, async ({ principal, request, reply, query }) => {
    const owner = authoriseOwner(principal, "use");
    return secrets.unbind({ owner, name: request.params.name }, query, closedSignal(reply));
  });

  serve(api, SECRET_ROUTES.rotateVault, async ({ principal, reply, body }) => {
    authoriseOwner(principal, "administer");
    const { sealed, left } = await vault.rotate(body().keyPlace, closedSignal(reply));
    return { sealed, left, key: await vault.describeKey() };
  });
}

/** Whose secrets they are: the caller's own. */
function authoriseOwner(principal: Principal, action: Action): string {
  authorise(principal, action, { kind: "secret", owner: principal.id });
  return principal.id;
}
