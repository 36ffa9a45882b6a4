import { join } from "node:path";
import type { AgentRegistry } from "../agent/registry.ts";
import { probeCeilings } from "../egress/ceiling/ceiling-probe.ts";
import { CeilingWatch } from "../egress/ceiling/ceiling-watch.ts";
import {
  createCeilings,
  type CeilingPlace,
  type CeilingState,
  type Ceilings,
} from "../egress/ceiling/ceilings.ts";
import { assert } from "../errors/error.ts";
import type { Logger } from "../platform/logger.ts";
import type { Paths } from "../platform/paths.ts";
import { LayerUse } from "../sandbox/upkeep/layer-use.ts";
import { createConfigure } from "../sandbox/configuration/configuring.ts";
import { createEngineEvents, type EngineEvents } from "../sandbox/engine-events.ts";
import { createGatewayGates, type UpstreamOptions } from "../sandbox/egress/gateway-gates.ts";
import { createHostKeys, type HostKeys } from "../sandbox/ports/host-keys.ts";
import type { Gates } from "../sandbox/egress/gates.ts";
import { observeStore } from "../sandbox/observed-store.ts";
import type { Probe, SandboxProvider } from "../sandbox/provider.ts";
import { ProviderSettings } from "../sandbox/provider-settings.ts";
import type { ProviderHealth } from "../sandbox/provider-health.ts";
import { createSandboxes } from "../sandbox/live-sandboxes.ts";
import type { Sandboxes } from "../sandbox/sandboxes.ts";
import { createTerminals, type Terminals } from "../sandbox/terminals.ts";
import type { ThrowAwayOptions, ThrowAwaySandbox } from "../sandbox/life/throw-away.ts";
import { openStore, type Store } from "../store/store.ts";
import { createSecrets, type Secrets } from "../secret/secrets.ts";
import type { TemplateDirectories } from "../template/places.ts";
import { createTemplates, type Templates } from "../template/templates.ts";
import { probeVault } from "../vault/probe.ts";
import { createVault, findKeyPlaces, type Vault } from "../vault/vault.ts";
import { createInstallInside } from "./building/inside.ts";
import { createLoginProfiles } from "../login/profiles.ts";
import { fetchAfterTurns, tellEgress, tellTurns } from "./happenings.ts";
import { openTemplateLayers, type TemplateLayers } from "./template-layers.ts";
import { createLogins, type Logins, type LoginsOptions } from "./sign-in/logins.ts";
import { createSessions } from "./live-sessions.ts";
import type { Sessions } from "./sessions.ts";

const VAULT_TIMEOUT_MS = 30_000;

export interface EngineOptions {
  paths: Pick<
    Paths,
    | "stateDirectory"
    | "runtimeDirectory"
    | "egressDirectory"
    | "authorityFile"
    | "spoolDirectory"
    | "recordingsDirectory"
    | "vaultDirectory"
  >;
  /** The user's own, which is never a workspace. */
  homeDirectory: string;
  /** The first is the default. */
  providers: readonly SandboxProvider[];
  agents: AgentRegistry;
  logger: Logger;
  /** Policies of an administrator that limit every sandbox; default none. */
  ceilings?: readonly CeilingPlace[];
  /** Where templates lie; default none. */
  templates?: TemplateDirectories;
  /** Default: everything that is allowed is dialled directly. */
  upstream?: UpstreamOptions;
  /** Default: egress gateways of this process. */
  gates?: Gates;
  /** What the providers were made to ask for their accounts and machines. Default: they ask for nothing. */
  providerSettings?: ProviderSettings;
  /** How long a leased session lives on without a reader. */
  readerGraceMs?: number;
  /** Of sign-ins; default: the machine's. */
  now?(): Date;
}

/** What `doctor` shows. */
export interface Health {
  /** The default first. */
  providers: readonly ProviderHealth[];
  /** Of what is no provider's. */
  probes: readonly Probe[];
}

/** Everything below the API. Holds no global: several can live in one process. */
export interface Engine {
  readonly agents: AgentRegistry;
  readonly sandboxes: Sandboxes;
  readonly sessions: Sessions;
  readonly terminals: Terminals;
  readonly hostKeys: HostKeys;
  readonly events: EngineEvents;
  readonly vault: Vault;
  readonly secrets: Secrets;
  readonly logins: Logins;
  readonly providerSettings: ProviderSettings;
  readonly templates: Templates;
  readonly templateLayers: TemplateLayers;
  /** Executes the checks that `doctor` shows. */
  probe(signal: AbortSignal): Promise<Health>;
  /** Ends every session and sandbox, then gives the state free. Idempotent. */
  close(): Promise<void>;
}

/** Opens the state and composes the parts. Throws what `openStore` throws, and has then let go of everything. */
export async function createEngine(options: EngineOptions): Promise<Engine> {
  await using opened = new AsyncDisposableStack();
  const { paths, logger } = options;
  const events = createEngineEvents();
  const store = observeStore(await openStore({ stateDirectory: paths.stateDirectory }), events);
  opened.defer(() => store.close());
  const { spoolDirectory, recordingsDirectory } = paths;
  const terminals = createTerminals({ spoolDirectory, recordingsDirectory, logger });
  opened.defer(() => terminals.close());
  const { vaultDirectory: directory } = paths;
  const places = findKeyPlaces(directory, store.installation);
  const vault = createVault({ directory, places });
  const secrets = createSecrets({ vault, bindings: store.secretBindings, agents: options.agents });
  const { providerSettings = new ProviderSettings({ declared: new Map() }) } = options;
  providerSettings.bind((name) => secrets.reveal(name, AbortSignal.timeout(VAULT_TIMEOUT_MS)));
  const ceilings = createCeilings(options.ceilings ?? []);
  const templates = createTemplates({
    directories: options.templates ?? [],
    approvals: store.templateApprovals,
    agents: () => options.agents.list().map(({ id }) => id),
    requireSecrets: (bindings) => secrets.require(bindings),
  });
  const parts = { store, terminals, events, ceilings, secrets, vault, templates };
  const { sandboxes, sessions, logins, templateLayers } = await compose(options, parts);
  opened.defer(() => sandboxes.close());
  opened.defer(() => logins[Symbol.dispose]());
  opened.defer(() => sessions.close());
  const watch = watchCeilings(ceilings, { sandboxes, logger });
  opened.defer(() => watch.close());
  const resources = opened.move();
  let closing: Promise<void> | undefined;
  return {
    agents: options.agents,
    sandboxes,
    sessions,
    terminals,
    hostKeys: createHostKeys(),
    events,
    vault,
    logins,
    templateLayers,
    secrets,
    providerSettings,
    templates,
    probe: async (signal) => ({
      providers: await sandboxes.probe(signal),
      probes: [...probeCeilings(ceilings), await probeVault(vault, places, signal)],
    }),
    close: () => (closing ??= resources.disposeAsync()),
  };
}

interface Parts {
  store: Store;
  terminals: Terminals;
  events: EngineEvents;
  ceilings: Ceilings;
  secrets: Secrets;
  vault: Vault;
  templates: Templates;
}

/** What an administrator writes holds for the sandboxes that run, as a change of their own policy does. */
function watchCeilings(
  ceilings: Ceilings,
  { sandboxes, logger }: { sandboxes: Sandboxes; logger: Logger },
): CeilingWatch {
  const onChange = (states: readonly CeilingState[]): void => {
    sandboxes.policies.renew(states).catch((error: unknown) => {
      logger.error("an organisation's policy could not be put into force", { error });
    });
  };
  return new CeilingWatch({ ceilings, onChange, logger });
}

/** Sandboxes tell sessions of their end, sessions ask sandboxes to run: one side is bound late. */
async function compose(
  options: EngineOptions,
  { store, terminals, events, ceilings, secrets, vault, templates }: Parts,
): Promise<Pick<Engine, "sandboxes" | "sessions" | "logins" | "templateLayers">> {
  const { paths, agents, providers, logger, homeDirectory, readerGraceMs } = options;
  const { stateDirectory, runtimeDirectory, egressDirectory, authorityFile } = paths;
  const bound: { sandboxes?: Sandboxes; sessions?: Sessions } = {};
  const createThrowAway = async (wanted: ThrowAwayOptions): Promise<ThrowAwaySandbox> => {
    assert(bound.sandboxes !== undefined, "an installation before there are sandboxes");
    return bound.sandboxes.createInternal(wanted);
  };
  const layerUse = new LayerUse();
  const layerParts = { ...options, stateDirectory, store, createThrowAway, use: layerUse };
  const templateLayers = openTemplateLayers(layerParts);
  const { layersFor } = templateLayers;
  bound.sandboxes = await createSandboxes({
    store,
    providers,
    agents,
    terminals,
    logger,
    gates:
      options.gates ??
      createGatewayGates({
        directory: egressDirectory,
        authorityFile,
        upstream: options.upstream,
        ceilings,
        logger,
        onRecord: tellEgress(store.sandboxes, { events, logger }),
      }),
    layersFor,
    layerUse,
    installInside: createInstallInside(join(stateDirectory, "builds")),
    sessions: {
      endAll: async (id) => bound.sessions?.endAll(id),
      loseAll: async (id, reason) => bound.sessions?.loseAll(id, reason),
      tell: (id, text) => bound.sessions?.tell(id, text),
      isWorking: (id) => bound.sessions?.isWorking(id) ?? false,
    },
    templates,
    surroundings: { stateDirectory, runtimeDirectory, homeDirectory },
  });
  const { sandboxes } = bound;
  const logins = openLogins(options, { store, vault, sandboxes, layersFor, createThrowAway });
  const [tell, fetchAfter] = [tellTurns(events), fetchAfterTurns(sandboxes.changes, logger)];
  bound.sessions = createSessions({
    signIns: logins.inSandboxes,
    configure: createConfigure({ store, agents }),
    onTurn: (...event) => [tell, fetchAfter].forEach((hear) => hear(...event)),
    sandboxes,
    agents,
    secrets,
    terminals,
    logger,
    repository: store.sessions,
    ...(readerGraceMs === undefined ? {} : { readerGraceMs }),
  });
  return { sandboxes, sessions: bound.sessions, logins, templateLayers };
}

function openLogins(
  { now = () => new Date(), agents, providers, logger }: EngineOptions,
  { vault, sandboxes, ...parts }: LoginParts,
): Logins {
  const profiles = createLoginProfiles({ vault, now });
  const running: LoginsOptions["running"] = (id) => sandboxes.findRunning(id);
  return createLogins({ ...parts, profiles, agents, providers, logger, now, running });
}

type LoginParts = Pick<LoginsOptions, "store" | "layersFor" | "createThrowAway"> & {
  vault: Vault;
  sandboxes: Sandboxes;
};
