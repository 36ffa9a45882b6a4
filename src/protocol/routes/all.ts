import { AGENT_ROUTES } from "./agent.ts";
import { CHANGE_ROUTES } from "./changes.ts";
import { DAEMON_ROUTES } from "./daemon.ts";
import { EVENT_ROUTES } from "./event.ts";
import { HOST_KEY_ROUTES } from "./host-key.ts";
import { LOGIN_ROUTES } from "./login.ts";
import { PORT_ROUTES } from "./port.ts";
import { POLICY_ROUTES } from "./policy.ts";
import { PRUNE_ROUTES } from "./prune.ts";
import { QUARANTINE_ROUTES } from "./quarantine.ts";
import { SANDBOX_ROUTES } from "./sandbox.ts";
import { SECRET_ROUTES } from "./secret.ts";
import { SESSION_ROUTES } from "./session.ts";
import { TEMPLATE_ROUTES } from "./template.ts";

/** Every operation of the API, by the name that the OpenAPI document and the SDK give it. */
export const ROUTES = {
  ...DAEMON_ROUTES,
  ...AGENT_ROUTES,
  ...EVENT_ROUTES,
  ...SANDBOX_ROUTES,
  ...QUARANTINE_ROUTES,
  ...PORT_ROUTES,
  ...HOST_KEY_ROUTES,
  ...POLICY_ROUTES,
  ...PRUNE_ROUTES,
  ...CHANGE_ROUTES,
  ...SECRET_ROUTES,
  ...SESSION_ROUTES,
  ...LOGIN_ROUTES,
  ...TEMPLATE_ROUTES,
} as const;
