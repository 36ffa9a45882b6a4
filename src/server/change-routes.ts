import { CHANGE_ROUTES } from "../protocol/routes/changes.ts";
import { openSandbox, type Api } from "./api.ts";
import { closedSignal } from "./event-stream.ts";
import { serve } from "./serve.ts";

export function addChangeRoutes(api: Api): void {
  const { changes } = api.engine.sandboxes;

  serve(api, CHANGE_ROUTES.listChanges, async ({ request, reply, query }) => {
    const { id } = await openSandbox(api, request, "read");
    const options = { hunks: query.hunks === "1", paths: [query.path ?? []].flat() };
    return changes.read(id, options, closedSignal(reply));
  });

  serve(api, CHANGE_ROUTES.applyChanges, async ({ request, reply, body }) => {
    const { id } = await openSandbox(api, request, "use");
    const { paths = [], approve = [], overwrite = [], keep = [], mark = [], hunks = [] } = body();
    const wish = { paths, approve, overwrite, keep, mark, hunks };
    return changes.apply(id, wish, closedSignal(reply));
  });

  serve(api, CHANGE_ROUTES.discardChanges, async ({ request }) => {
    const { id } = await openSandbox(api, request, "remove");
    await changes.discard(id);
  });
}
