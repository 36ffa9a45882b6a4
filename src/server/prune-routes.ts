import { PRUNE_ROUTES } from "../protocol/routes/prune.ts";
import { openSandbox, type Api } from "./api.ts";
import { authorise } from "./authorise.ts";
import { closedSignal } from "./event-stream.ts";
import { serve } from "./serve.ts";

/** `owner` may do everything with this daemon: layers belong to all sandboxes of it. */
export function addPruneRoutes(api: Api, owner: string): void {
  const { upkeep } = api.engine.sandboxes;
  const daemon = { kind: "daemon", owner } as const;

  serve(api, PRUNE_ROUTES.listPrunable, async ({ principal, query }) => {
    authorise(principal, "read", daemon);
    return upkeep.prunable(principal.id, Number(query.olderThanMs ?? 0));
  });

  serve(api, PRUNE_ROUTES.prune, async ({ principal, body }) => {
    authorise(principal, "administer", daemon);
    return upkeep.prune(principal.id, body());
  });

  serve(api, PRUNE_ROUTES.recreateSandbox, async ({ request, reply, body }) => {
    const { id } = await openSandbox(api, request, "remove");
    return upkeep.recreate(id, body(), closedSignal(reply));
  });
}
