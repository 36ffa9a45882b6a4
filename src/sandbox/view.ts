import type { Sandbox } from "../protocol/sandbox.ts";
import type { ResolvedTemplate } from "../protocol/template.ts";
import { importedOf } from "./configuration/imports.ts";
import type { RunningSandbox, SandboxProvider } from "./provider.ts";
import type { SandboxRow, StoredClone, StoredSpecification } from "../store/sandbox-rows.ts";
import type { SessionRow } from "../store/session-rows.ts";

export interface SandboxParts {
  row: SandboxRow;
  sessions: readonly SessionRow[];
  /** What the provider states while it runs. */
  facts: Readonly<Record<string, unknown>>;
  ports: Sandbox["ports"];
  /** While it runs and has an idle stop, in milliseconds since 1970. */
  idleStopsAtMs: number | undefined;
  /** Whether programs inside are other ones than this machine's. Default: false. */
  hasOwnUserland?: boolean;
}

export function standsOnOwn(
  { provider, specification }: SandboxRow,
  providers: readonly SandboxProvider[],
): boolean {
  const made = providers.find(({ id }) => id === provider);
  return specification.base !== undefined || made?.declared.userland === "own";
}

/** What a provider states of a sandbox that runs, and what it was told itself when that started. */
export function showFacts(
  { id: sandboxId, provider }: SandboxRow,
  running: Pick<RunningSandbox, "facts"> | undefined,
  providers: readonly SandboxProvider[],
): Readonly<Record<string, unknown>> {
  const facts = running?.facts ?? {};
  const said = providers.find(({ id }) => id === provider)?.settingsOf?.(sandboxId) ?? [];
  if (said.length === 0) return facts;
  const settings = said.map(({ key, value, origin }) => [
    key,
    value === undefined ? `from ${origin}` : `${value} (from ${origin})`,
  ]);
  return { ...facts, settings: Object.fromEntries(settings) as object };
}

function showClone({ branch, base, fetched, held }: StoredClone): NonNullable<Sandbox["clone"]> {
  return { branch, base, fetched, held };
}

/** SECURITY: names of environment variables only; their values and all certificates stay out. */
export function showSandbox(parts: SandboxParts): Sandbox {
  const { row, sessions, facts, ports } = parts;
  const stored = row.specification;
  const { preset, file } = stored.policy;
  return {
    id: row.id,
    owner: row.owner,
    name: row.name,
    agent: row.agent,
    provider: row.provider,
    isolation: stored.isolation,
    egress: stored.egress ?? "enforced",
    status: row.status,
    ...(row.statusReason === undefined ? {} : { statusReason: row.statusReason }),
    workspace: stored.workspace,
    ...(stored.clone === undefined ? {} : { clone: showClone(stored.clone) }),
    ephemeral: row.ephemeral,
    environmentNames: Object.keys(stored.environment).sort(),
    ...showBindings(stored),
    policy: {
      preset,
      ...(file === undefined ? {} : { file: file.path }),
      allow: stored.allow,
      deny: [...(stored.template?.policy.deny ?? []), ...stored.deny],
    },
    ...showTemplate(stored),
    ...showChoices(stored),
    mirrors: stored.mirrors?.targets ?? null,
    limits: stored.limits,
    ...(parts.hasOwnUserland === true ? { userland: "own" as const } : {}),
    toolchains: stored.toolchains,
    protectedPaths: stored.protectedPaths,
    ...(stored.unprotected === undefined ? {} : { unprotected: stored.unprotected }),
    layers: stored.layers,
    facts,
    ports,
    sessions: sessions.map(({ id, kind, status }) => ({ id, kind, status })),
    origins: showOrigins(stored.origins),
    lifetime: showLifetime(parts),
    createdAt: row.createdAt,
    ...(row.startedAt === undefined ? {} : { startedAt: row.startedAt }),
  };
}

function showBindings({ bindings, template }: StoredSpecification): Pick<Sandbox, "bindings"> {
  const all = { ...template?.bindings, ...bindings };
  return bindings === undefined && Object.keys(all).length === 0 ? {} : { bindings: all };
}

function showTemplate({ template, making }: StoredSpecification): Pick<Sandbox, "template"> {
  if (template === undefined) return {};
  const { name, title, origin, digest, parameters } = template;
  const next = making?.next === undefined ? {} : { nextParameters: making.next };
  const { startUrl, region } = template.identity;
  const directory =
    startUrl === undefined || region === undefined
      ? {}
      : { identityDirectory: { startUrl, region } };
  const imported = showImported(template, making);
  return {
    template: { name, title, origin, digest, parameters, ...next, ...imported, ...directory },
  };
}

function showImported(
  template: ResolvedTemplate,
  making: StoredSpecification["making"],
): Pick<NonNullable<Sandbox["template"]>, "imported"> {
  const { steering = [], mcpServers = {} } = importedOf(making?.request);
  const counts = ({ name, content }: { name: string; content: string }): boolean =>
    template.steering.some((each) => each.name === name && each.content === content);
  const servers = Object.keys(mcpServers).filter((name) => name in template.mcpServers);
  const imported = {
    steering: steering.filter(counts).map(({ name }) => name),
    mcpServers: template.import.includes("mcp") ? servers : [],
  };
  return imported.steering.length + imported.mcpServers.length === 0 ? {} : { imported };
}

/** What about its agent was chosen, and by whom it is signed in. */
function showChoices({
  agentVersion,
  regions,
  loginProfile,
}: StoredSpecification): Pick<Sandbox, "agentVersion" | "regions" | "loginProfile"> {
  return {
    ...(agentVersion === undefined ? {} : { agentVersion }),
    ...(regions === undefined ? {} : { regions }),
    ...(loginProfile === undefined ? {} : { loginProfile }),
  };
}

const SETTINGS = [
  "provider",
  "isolation",
  "mode",
  "policy",
  "allow",
  "deny",
  "cpus",
  "memory",
  "idleStop",
  "maxAge",
  "toolchains",
  "mirrors",
  "gitIdentity",
];

function showOrigins(stored: Readonly<Record<string, string>> = {}): Record<string, string> {
  return { ...Object.fromEntries(SETTINGS.map((name) => [name, "built in"])), ...stored };
}

function showLifetime({ row, idleStopsAtMs }: SandboxParts): Sandbox["lifetime"] {
  const { idleStopMs, maxAgeMs } = row.specification.lifetime ?? {};
  const toTime = (timeMs: number): string => new Date(timeMs).toISOString();
  return {
    ...(idleStopMs === undefined ? {} : { idleStopMs }),
    ...(idleStopsAtMs === undefined ? {} : { idleStopsAt: toTime(idleStopsAtMs) }),
    ...(maxAgeMs === undefined
      ? {}
      : { maxAgeMs, expiresAt: toTime(Date.parse(row.createdAt) + maxAgeMs) }),
  };
}
