import { json, nothing } from "../exchange.ts";
import { DEFAULT_SNAPSHOT } from "../snapshots.ts";
import { toolboxUrl, type ControlRoutes } from "../service.ts";
import { SANDBOX_ROUTES } from "./sandbox-routes.ts";
import { SETTINGS_ROUTES } from "./settings-routes.ts";
import { SNAPSHOT_ROUTES } from "./snapshot-routes.ts";

export const CONTROL_ROUTES: ControlRoutes = {
  "GET /health": () => nothing(200),
  "GET /config": (service) =>
    json({
      version: "v0.0.0-fake",
      oidc: { issuer: `${service.origin}/oidc`, clientId: "fake", audience: "fake" },
      linkedAccountsEnabled: false,
      announcements: {},
      proxyTemplateUrl: service.origin.replace("127.0.0.1", "{{PORT}}-{{sandboxId}}.localhost"),
      proxyToolboxUrl: toolboxUrl(service),
      defaultSnapshot: DEFAULT_SNAPSHOT,
      dashboardUrl: `${service.origin}/dashboard`,
      maxAutoArchiveInterval: 43_200,
      maintananceMode: false,
      environment: "fake",
    }),
  ...SANDBOX_ROUTES,
  ...SETTINGS_ROUTES,
  ...SNAPSHOT_ROUTES,
};
