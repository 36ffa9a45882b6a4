import { authorizeControl, authorizeToolbox } from "./authorization.ts";
import { CONTROL_ROUTES } from "./control/routes.ts";
import { matchPath, type Answer, type Call, type Parameters } from "./exchange.ts";
import { Refusal } from "./refusal.ts";
import type { FakeSandbox } from "./sandbox.ts";
import type { Service } from "./service.ts";
import { TOOLBOX_ROUTES } from "./toolbox/routes.ts";

const API = "/api";
const TOOLBOX = "/toolbox/";

/** Finds the handler of a request and lets it answer. Throws the service's errors. */
export async function answerCall(service: Service, key: string, call: Call): Promise<Answer> {
  if (call.path.startsWith(TOOLBOX)) return answerToolbox(service, key, call);
  if (call.path.startsWith("/build-logs/")) {
    return { status: 200, body: "Simulated build: nothing was built.\n" };
  }
  if (!call.path.startsWith(`${API}/`))
    throw new Refusal(["api", 404], `Cannot ${call.method} ${call.path}`);
  const path = call.path.slice(API.length);
  const isOpen = path === "/health" || path === "/config";
  if (!isOpen) authorizeControl(key, call);
  const found = findRoute(CONTROL_ROUTES, `${call.method} ${path}`);
  if (found !== undefined) return found.handler(service, call, found.parameters);
  throw new Refusal(["api", 404], `Cannot ${call.method} ${call.path}`);
}

async function answerToolbox(service: Service, key: string, call: Call): Promise<Answer> {
  const { sandbox, operation } = openToolbox(service, key, call);
  const found = findRoute(TOOLBOX_ROUTES, `${call.method} ${operation}`);
  if (found === undefined) {
    const message = `the fake Daytona does not serve ${call.method} ${operation}`;
    throw new Refusal(["daemon", 404], message, { code: "NOT_FOUND" });
  }
  return whileActive(service, { sandbox, call }, async () =>
    found.handler({ call, sandbox, parameters: found.parameters, service }),
  );
}

/** The sandbox that a toolbox path names, for whoever may use it. Throws 401 or 404. */
export function openToolbox(
  service: Service,
  key: string,
  call: Omit<Call, "message" | "signal">,
): { sandbox: FakeSandbox; operation: string } {
  const [id = "", ...rest] = call.path.slice(TOOLBOX.length).split("/");
  const operation = `/${rest.join("/")}`;
  const sandbox = service.sandboxes.find(decodeURIComponent(id));
  if (sandbox === undefined) {
    throw new Refusal(["proxy", 404], `not found: Sandbox with ID or name ${id} not found`);
  }
  authorizeToolbox(key, sandbox, { ...call, operation, now: service.clock.now() });
  return { sandbox, operation };
}

/** The proxy counts what goes through it as activity, from its beginning to its end. */
async function whileActive(
  service: Service,
  { sandbox, call }: { sandbox: FakeSandbox; call: Call },
  work: () => Promise<Answer>,
): Promise<Answer> {
  const end = beginActivity(service, sandbox, call.headers);
  try {
    return await work();
  } finally {
    end();
  }
}

/** Returns what ends it. */
export function beginActivity(
  { clock }: Service,
  sandbox: FakeSandbox,
  headers: Call["headers"],
): () => void {
  if (headers["x-daytona-skip-last-activity-update"] === "true") return () => undefined;
  sandbox.lastActivityAt = clock.now();
  sandbox.openExchanges += 1;
  return () => {
    sandbox.openExchanges -= 1;
    sandbox.lastActivityAt = clock.now();
  };
}

/** Fixed words of a path win over parameters. */
function findRoute<Handler>(
  routes: Readonly<Record<string, Handler>>,
  target: string,
): { handler: Handler; parameters: Parameters } | undefined {
  const exact = routes[target];
  if (exact !== undefined) return { handler: exact, parameters: {} };
  for (const [pattern, handler] of Object.entries(routes)) {
    const parameters = matchPath(pattern, target);
    if (parameters !== undefined) return { handler, parameters };
  }
  return undefined;
}
