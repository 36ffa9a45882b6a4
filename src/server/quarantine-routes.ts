import { QUARANTINE_ROUTES } from "../protocol/routes/quarantine.ts";
import { openSandbox, type Api } from "./api.ts";
import { authorise } from "./authorise.ts";
import { serve } from "./serve.ts";

export function addQuarantineRoutes(api: Api): void {
  const { quarantines } = api.engine.sandboxes;

  serve(api, QUARANTINE_ROUTES.listQuarantine, async ({ principal }) => {
    authorise(principal, "read", { kind: "sandbox", owner: principal.id });
    return { paths: await quarantines.list(principal.id) };
  });

  serve(api, QUARANTINE_ROUTES.quarantineCreated, async ({ request }) => {
    const { id, owner } = await openSandbox(api, request, "use");
    await quarantines.sweep(id);
    const paths = await quarantines.list(owner);
    return { paths: paths.filter(({ sandboxId }) => sandboxId === id) };
  });

  serve(api, QUARANTINE_ROUTES.restoreQuarantined, async ({ principal, request }) => {
    authorise(principal, "use", { kind: "sandbox", owner: principal.id });
    return quarantines.restore(principal.id, request.params.id);
  });

  serve(api, QUARANTINE_ROUTES.removeQuarantined, async ({ principal, request }) => {
    authorise(principal, "remove", { kind: "sandbox", owner: principal.id });
    await quarantines.remove(principal.id, request.params.id);
  });
}
