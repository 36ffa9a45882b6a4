import { CattlegridError } from "../errors/error.ts";
import { formatDuration } from "../protocol/duration.ts";
import type { SandboxCreate } from "../protocol/sandbox.ts";
import type { ResolvedTemplate } from "../protocol/template.ts";
import type { TemplateContent } from "./content.ts";
import { findReferences } from "./interpolation.ts";

/** Weakest first. `remote` is what a service states, and compares with none. */
const ISOLATIONS: readonly unknown[] = ["namespaces", "container", "gvisor", "microvm"];
/** What lets the least out first. */
const PRESETS: readonly unknown[] = ["locked", "agent", "dev", "open"];

export interface NarrowingParts {
  template: ResolvedTemplate;
  /** Before its parameters had values, to tell which one would change what is asked for. */
  content: TemplateContent;
}

/**
 * What is asked for under a template: its word where nobody says anything, and only what is narrower where somebody does.
 * Denied rules, ceilings and bindings of the template are no part of it: they stay with the template. Throws TEMPLATE_FIXED. Pure.
 */
export function applyTemplate(parts: NarrowingParts, request: SandboxCreate): SandboxCreate {
  const { template } = parts;
  const narrowing = new Narrowing(parts, request);
  refuseOtherVariables(narrowing, parts, request);
  const merged = {
    ...request,
    agent: template.agent,
    ...chooseBoundary(narrowing, parts, request),
    ...chooseWays(narrowing, parts, request),
    ...chooseLife(narrowing, parts, request),
    environment: { ...template.environment, ...request.environment },
  };
  const isThere = ([, value]: [string, unknown]): boolean => value !== undefined;
  const { origins } = narrowing;
  return Object.fromEntries(Object.entries({ ...merged, origins }).filter(isThere));
}

function chooseBoundary(
  narrowing: Narrowing,
  { template, content }: NarrowingParts,
  { agentVersion, provider, isolation, mode, limits = {} }: SandboxCreate,
): Partial<SandboxCreate> {
  const [defaultMode] = template.modes;
  const amount = (name: "cpus" | "memoryBytes" | "pids", by: unknown): number | undefined =>
    narrowing.choose<number>(name === "memoryBytes" ? "memory" : name, template.limits[name], {
      asked: limits[name],
      fits: isAtMost,
      by,
    });
  const chosen = {
    cpus: amount("cpus", content.limits?.cpus),
    memoryBytes: amount("memoryBytes", content.limits?.memory),
    pids: amount("pids", content.limits?.pids),
  };
  const version = template.agents[template.agent]?.version;
  return {
    agentVersion: narrowing.choose<string>("agentVersion", version, {
      asked: agentVersion,
      by: content.agents?.[template.agent]?.version,
    }),
    provider: narrowing.choose<string>("provider", template.provider, { asked: provider }),
    isolation: narrowing.choose("isolation", template.isolation as typeof isolation, {
      asked: isolation,
      fits: (least, asked) =>
        ISOLATIONS.includes(least) && ISOLATIONS.indexOf(asked) >= ISOLATIONS.indexOf(least),
    }),
    mode: narrowing.choose("mode", defaultMode, {
      asked: mode,
      fits: (_, asked) => template.modes.includes(asked),
      by: content.workspace?.modes,
    }),
    limits: Object.fromEntries(
      Object.entries(chosen).filter(([, value]) => value !== undefined),
    ) as typeof limits,
  };
}

/** What gets out of it and in, and by whose leave. */
function chooseWays(
  narrowing: Narrowing,
  { template, content }: NarrowingParts,
  { policy, allow = [], regions, unprotect, loginProfile }: SandboxCreate,
): Partial<SandboxCreate> {
  const { preset } = template.policy;
  if (template.policy.allow.length > 0) narrowing.add("allow", allow.length > 0);
  if (template.policy.deny.length > 0) narrowing.add("deny", false);
  return {
    policy: narrowing.choose("policy", preset === undefined ? undefined : { preset }, {
      asked: policy,
      fits: (most, asked) =>
        asked.file === undefined &&
        PRESETS.includes(asked.preset) &&
        PRESETS.indexOf(asked.preset) <= PRESETS.indexOf(most.preset),
    }),
    allow: [...new Set([...template.policy.allow, ...allow])],
    regions: narrowing.choose<string[]>("regions", mutable(template.regions), {
      asked: regions,
      fits: isPart,
    }),
    unprotect: narrowing.choose<string[]>("unprotect", mutable(template.unprotect), {
      asked: unprotect,
      fits: isPart,
    }),
    loginProfile: narrowing.choose<string>("loginProfile", template.identity.profile, {
      asked: loginProfile,
      by: content.identity?.profile,
    }),
  };
}

function chooseLife(
  narrowing: Narrowing,
  { template: { lifetime }, content }: NarrowingParts,
  request: SandboxCreate,
): Partial<SandboxCreate> {
  const { idleStop, maxAge } = content.lifetime ?? {};
  return {
    idleStopMs: narrowing.choose<number>("idleStop", lifetime.idleStopMs, {
      asked: request.idleStopMs,
      fits: isAtMost,
      by: idleStop,
    }),
    maxAgeMs: narrowing.choose<number>("maxAge", lifetime.maxAgeMs, {
      asked: request.maxAgeMs,
      fits: isAtMost,
      by: maxAge,
    }),
    removeAfterSession: lifetime.removeAfterSession || request.removeAfterSession,
  };
}

function isAtMost(most: number, asked: number): boolean {
  return asked <= most;
}

function isPart(whole: readonly string[], asked: readonly string[]): boolean {
  return asked.every((each) => whole.includes(each));
}

function mutable<T>(list: readonly T[] | undefined): T[] | undefined {
  return list === undefined ? undefined : [...list];
}

/** What a template says a variable is, or which secret it takes, stays. */
function refuseOtherVariables(
  narrowing: Narrowing,
  { template, content }: NarrowingParts,
  { environment = {}, bindings = {} }: SandboxCreate,
): void {
  const isOther = (
    name: string,
    said: Readonly<Record<string, string>>,
    asked: Readonly<Record<string, string>>,
  ): boolean => Object.hasOwn(asked, name) && said[name] !== asked[name];
  const variables = Object.keys({ ...template.environment, ...template.bindings });
  for (const variable of variables) {
    const differs =
      isOther(variable, template.environment, environment) ||
      isOther(variable, template.bindings, bindings);
    const by = content.environment?.[variable] ?? content.secrets?.[variable];
    if (differs) narrowing.refuse(`the variable ${variable}`, by);
  }
}

interface Asked<T> {
  asked: T | undefined;
  /** Whether what is asked is narrower than what the template says. Default: nothing is. */
  fits?(said: T, asked: T): boolean;
  /** The text of the template that says it. */
  by?: unknown;
}

class Narrowing {
  readonly origins: Record<string, string>;
  readonly #template: ResolvedTemplate;
  readonly #yields: ReadonlySet<string>;

  constructor({ template }: NarrowingParts, request: SandboxCreate) {
    this.#template = template;
    this.#yields = new Set(request.template?.yields);
    this.origins = { ...request.origins };
  }

  /** `what` is the setting's name. */
  choose<T>(what: string, said: T | undefined, { asked, fits, by }: Asked<T>): T | undefined {
    if (said === undefined) return asked;
    if (asked !== undefined && (isSame(said, asked) || fits?.(said, asked) === true)) return asked;
    if (asked !== undefined && !this.#yields.has(what)) this.refuse(what, by, said);
    this.add(what, false);
    return said;
  }

  /** The template has a say in it, beside what was asked for. */
  add(what: string, isJoined: boolean): void {
    const own = `template ${this.#template.name}`;
    const asked = isJoined ? this.origins[what] : undefined;
    this.origins[what] = asked === undefined ? own : `${own}, ${asked}`;
  }

  /** `said` is shown; values of variables are not for messages. */
  refuse(what: string, by: unknown, said?: unknown): never {
    const { name } = this.#template;
    const [parameter] = findReferences(String(by));
    const shown = said === undefined ? "" : `: ${this.#show(what, said)}`;
    throw new CattlegridError(
      "TEMPLATE_FIXED",
      `The template ${name} says what ${what} is${shown}.`,
      {
        ...(parameter === undefined
          ? {}
          : { hint: `Its parameter ${parameter} changes it: --param ${parameter}=VALUE.` }),
        details: {
          template: name,
          setting: what,
          ...(parameter === undefined ? {} : { parameter }),
        },
      },
    );
  }

  #show(what: string, said: unknown): string {
    if (what === "mode") return this.#template.modes.join(" or ");
    if (what === "policy") return this.#template.policy.preset ?? "";
    const isTime = what === "idleStop" || what === "maxAge";
    if (isTime && typeof said === "number") return formatDuration(said);
    return Array.isArray(said) ? said.join(", ") || "none" : String(said);
  }
}

function isSame(said: unknown, asked: unknown): boolean {
  return JSON.stringify(said) === JSON.stringify(asked);
}
