import { describeApi } from "../protocol/openapi.ts";
import { ROUTES } from "../protocol/routes/all.ts";
import { DAEMON_ROUTES } from "../protocol/routes/daemon.ts";
import { findProvider } from "../sandbox/registry.ts";
import { API_VERSION } from "../protocol/version.ts";
import { authorise } from "./authorise.ts";
import type { Api } from "./api.ts";
import { closedSignal } from "./event-stream.ts";
import { serve } from "./serve.ts";
import type { TotalRemoval } from "../protocol/daemon.ts";

export interface DaemonFacts {
  /** Of the program. */
  version: string;
  stateDirectory: string;
  startedAt: string;
  /** Who may do everything with this daemon. */
  owner: string;
}

export interface DaemonControl {
  /** Begins to end the daemon, once the answer is out. */
  shutDown(): void;
  /** Removes every sandbox and layer; then the state directory holds nothing that only the daemon can remove. */
  reset(): Promise<TotalRemoval>;
}

export function addDaemonRoutes(api: Api, facts: DaemonFacts, control: DaemonControl): void {
  const { engine } = api;
  const daemon = { kind: "daemon", owner: facts.owner } as const;

  serve(api, DAEMON_ROUTES.getVersion, async ({ principal }) => {
    authorise(principal, "read", daemon);
    return {
      version: facts.version,
      api: API_VERSION,
      pid: process.pid,
      startedAt: facts.startedAt,
      stateDirectory: facts.stateDirectory,
      sandboxesRunning: engine.sandboxes.countRunning(),
      sessionsOpen: engine.sessions.countOpen(),
    };
  });

  serve(api, DAEMON_ROUTES.getOpenApi, async ({ principal }) => {
    authorise(principal, "read", daemon);
    return describeApi(ROUTES);
  });

  serve(api, DAEMON_ROUTES.recordTerminal, async ({ principal, request }) => {
    const { owner } = engine.terminals.get(request.params.id);
    authorise(principal, "use", { kind: "terminal", owner });
    return { recordingId: (await engine.terminals.record(request.params.id)).id };
  });

  serve(api, DAEMON_ROUTES.listProviders, async ({ principal }) => {
    authorise(principal, "read", daemon);
    const { providers } = engine.sandboxes;
    return {
      providers: providers.map(({ id, declared: capabilities }) => {
        const settings = engine.providerSettings.declaredOf(id);
        return { id, variables: settings.map(({ variable }) => variable), settings, capabilities };
      }),
    };
  });

  serve(api, DAEMON_ROUTES.giveProviderVariables, async ({ principal, request, body }) => {
    authorise(principal, "administer", daemon);
    const { id } = findProvider(engine.sandboxes.providers, request.params.id);
    const sandboxes = await engine.sandboxes.list(principal.id);
    const isInUse = sandboxes.some((each) => each.provider === id && each.status === "running");
    const { variables: values, secrets, origins } = body();
    await engine.providerSettings.give(id, { values, secrets, origins }, isInUse);
  });

  serve(api, DAEMON_ROUTES.runDoctor, async ({ principal, reply }) => {
    authorise(principal, "read", daemon);
    const { providers, probes } = await engine.probe(closedSignal(reply));
    const [standard] = providers;
    return { probes: [...(standard?.probes ?? []), ...probes], providers };
  });

  serve(api, DAEMON_ROUTES.shutDown, async ({ principal, reply }) => {
    authorise(principal, "administer", daemon);
    reply.raw.once("close", () => control.shutDown());
    return {};
  });

  serve(api, DAEMON_ROUTES.resetDaemon, async ({ principal, reply }) => {
    authorise(principal, "administer", daemon);
    const removal = await control.reset();
    reply.raw.once("close", () => control.shutDown());
    return removal;
  });
}
