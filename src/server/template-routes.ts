import { TEMPLATE_ROUTES } from "../protocol/routes/template.ts";
import { openSandbox, type Api } from "./api.ts";
import { authorise } from "./authorise.ts";
import { serve } from "./serve.ts";

export function addTemplateRoutes(api: Api, owner: string): void {
  const { templates, sandboxes } = api.engine;
  const daemon = { kind: "daemon", owner } as const;

  serve(api, TEMPLATE_ROUTES.listTemplates, async ({ principal, query }) => {
    authorise(principal, "read", daemon);
    return { templates: await templates.list(principal.id, query.workspace) };
  });

  serve(api, TEMPLATE_ROUTES.showTemplate, async ({ principal, request, query }) => {
    authorise(principal, "read", daemon);
    return templates.show(request.params.id, { owner: principal.id, workspace: query.workspace });
  });

  serve(api, TEMPLATE_ROUTES.resolveTemplate, async ({ principal, request, body }) => {
    authorise(principal, "read", daemon);
    const { parameters = {}, ...use } = body();
    return templates.preview(
      { name: request.params.id, parameters },
      { owner: principal.id, ...use },
    );
  });

  serve(api, TEMPLATE_ROUTES.lintTemplate, async ({ principal, body }) => {
    authorise(principal, "read", daemon);
    return templates.lint(body().path);
  });

  serve(api, TEMPLATE_ROUTES.approveTemplate, async ({ principal, body }) => {
    authorise(principal, "administer", daemon);
    return templates.approve({ owner: principal.id, ...body() });
  });

  serve(api, TEMPLATE_ROUTES.listWarmPools, async ({ principal }) => {
    authorise(principal, "read", daemon);
    return { pools: await sandboxes.warm.list(principal.id) };
  });

  serve(api, TEMPLATE_ROUTES.setWarmPool, async ({ principal, request, body }) => {
    authorise(principal, "administer", daemon);
    return sandboxes.warm.set(principal.id, request.params.id, body());
  });

  serve(api, TEMPLATE_ROUTES.showParameters, async ({ request }) => {
    const { id } = await openSandbox(api, request, "read");
    return sandboxes.showParameters(id);
  });

  serve(api, TEMPLATE_ROUTES.setParameters, async ({ request, body }) => {
    const { id } = await openSandbox(api, request, "use");
    return sandboxes.setParameters(id, body().parameters);
  });
}
