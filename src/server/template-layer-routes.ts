import { TEMPLATE_ROUTES } from "../protocol/routes/template.ts";
import type { TemplateBuild, TemplateBuildEvent } from "../protocol/template-layer.ts";
import { planTemplate } from "../session/template-plan.ts";
import type { Api } from "./api.ts";
import { authorise } from "./authorise.ts";
import { createEventQueue } from "./event-queue.ts";
import { closedSignal, sendEvents } from "./event-stream.ts";
import { serve } from "./serve.ts";

export function addTemplateLayerRoutes(api: Api, owner: string): void {
  const { templateLayers } = api.engine;
  const daemon = { kind: "daemon", owner } as const;

  serve(api, TEMPLATE_ROUTES.buildTemplate, async ({ principal, request, reply, body }) => {
    authorise(principal, "create", { kind: "sandbox", owner: principal.id });
    const signal = closedSignal(reply);
    const wanted = { ...body(), name: request.params.id, owner: principal.id, signal };
    return sendEvents(reply, buildEvents(api, wanted), { logger: api.logger, signal });
  });

  serve(api, TEMPLATE_ROUTES.planTemplate, async ({ principal, request, reply, body }) => {
    authorise(principal, "read", daemon);
    const signal = closedSignal(reply);
    return planTemplate(api.engine, request.params.id, { ...body(), owner: principal.id, signal });
  });

  serve(api, TEMPLATE_ROUTES.listTemplateLayers, async ({ principal }) => {
    authorise(principal, "read", daemon);
    return { layers: await templateLayers.list() };
  });

  serve(api, TEMPLATE_ROUTES.collectTemplateLayers, async ({ principal, body }) => {
    authorise(principal, "administer", daemon);
    const { olderThanMs, dryRun } = body();
    const beforeMs = Date.now() - olderThanMs;
    const layers =
      dryRun === true
        ? await templateLayers.findUnused(beforeMs)
        : await templateLayers.collect(beforeMs);
    return { layers };
  });
}

interface WantedBuild extends TemplateBuild {
  name: string;
  owner: string;
  signal: AbortSignal;
}

function buildEvents(
  { engine }: Api,
  { name, owner, signal, ...wanted }: WantedBuild,
): AsyncIterable<TemplateBuildEvent> {
  const events = createEventQueue<TemplateBuildEvent>();
  const build = async (): Promise<void> => {
    const { parameters = {}, workspace, agent, provider, anew, mirrors, installTimeoutMs } = wanted;
    const use = { owner, workspace, agent };
    const { resolved } = await engine.templates.resolve({ name, parameters }, use);
    const layers = await engine.templateLayers.build(resolved, {
      owner,
      signal,
      mirrors: mirrors ?? null,
      ...(provider === undefined ? {} : { provider }),
      ...(installTimeoutMs === undefined ? {} : { installTimeoutMs }),
      isAnew: anew === true,
      onEvent(event) {
        if (event.type !== "sandbox-start") events.push(event);
      },
    });
    events.push({ type: "template-built", template: resolved.name, layers });
  };
  build().then(
    () => events.end(),
    (error: unknown) => events.fail(error),
  );
  return events;
}
