import { POLICY_PRESETS } from "../egress/policy/policy.ts";
import { PRESET_SUMMARIES, presetRules } from "../egress/policy/preset.ts";
import { POLICY_ROUTES } from "../protocol/routes/policy.ts";
import { showRule } from "../sandbox/egress/policy-view.ts";
import { openSandbox, type Api } from "./api.ts";
import { authorise } from "./authorise.ts";
import { serve } from "./serve.ts";

export function addPolicyRoutes(api: Api): void {
  const { policies } = api.engine.sandboxes;

  serve(api, POLICY_ROUTES.showPolicy, async ({ request }) => {
    const { id } = await openSandbox(api, request, "read");
    return policies.show(id);
  });

  serve(api, POLICY_ROUTES.addRule, async ({ request, body }) => {
    const { id } = await openSandbox(api, request, "use");
    return policies.add(id, body());
  });

  serve(api, POLICY_ROUTES.removeRule, async ({ request, body }) => {
    const { id } = await openSandbox(api, request, "use");
    return policies.remove(id, body().rule);
  });

  serve(api, POLICY_ROUTES.checkPolicy, async ({ request, body }) => {
    const { id } = await openSandbox(api, request, "read");
    return policies.check(id, body());
  });

  serve(api, POLICY_ROUTES.learnPolicy, async ({ request }) => {
    const { id } = await openSandbox(api, request, "read");
    return policies.learned(id);
  });

  serve(api, POLICY_ROUTES.listPresets, async ({ principal }) => {
    authorise(principal, "read", { kind: "sandbox", owner: principal.id });
    return {
      presets: POLICY_PRESETS.map((name) => ({
        name,
        summary: PRESET_SUMMARIES[name],
        rules: presetRules(name, []).map(showRule),
        includesAgent: name === "agent" || name === "dev",
      })),
      agents: api.engine.agents.list().map(({ id, hosts }) => ({
        id,
        rules: presetRules("agent", hosts).map(showRule),
      })),
    };
  });
}
