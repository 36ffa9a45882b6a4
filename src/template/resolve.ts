import { CattlegridError } from "../errors/error.ts";
import { limitsSchema, workspaceModeSchema } from "../protocol/sandbox.ts";
import type { ResolvedTemplate } from "../protocol/template.ts";
import type { ParameterValue } from "../protocol/template-choice.ts";
import { readDuration, readSize } from "./amount.ts";
import type { KeptTemplate, SetupStep, TemplateContent } from "./content.ts";
import { fillData, fillText, type ParameterValues, wholeReference } from "./interpolation.ts";
import { isBelow } from "./template-file.ts";

export interface Resolution {
  /** Of every parameter of the template. */
  values: ParameterValues;
  /** Which agent is asked for; default: the template's. */
  agent?: string | undefined;
}

const SETUP_TIMEOUT_MS = 30 * 60_000;
const FILE_MODE = "0644";

/**
 * A template as it counts for one sandbox. Throws PARAMETER_INVALID for a value that makes no sense where the template puts it,
 * TEMPLATE_FIXED for an agent that it does not provide for, REQUEST_INVALID when nobody names an agent. Pure.
 */
export function resolveTemplate(
  { name, origin, paths, digest, content }: KeptTemplate,
  { values, agent: asked }: Resolution,
): ResolvedTemplate {
  const { title = name, description, base = "host", regions } = content;
  const counts = ({ when = {} }: Conditional): boolean =>
    Object.entries(when).every(([each, value]) => values[each] === value);
  const fill = <T>(data: T): T => fillData(data, values);
  return {
    name,
    title,
    ...(description === undefined ? {} : { description }),
    origin,
    paths: [...paths],
    digest,
    parameters: values,
    agent: chooseAgent(name, content, asked),
    agents: fill(content.agents ?? {}),
    base,
    packages: resolvePackages(content),
    repositories: resolveRepositories(content, { counts, fill }),
    setup: (content.setup ?? [])
      .filter(counts)
      .map((step, index) => resolveStep(step, index, values)),
    files: resolveFiles(content, { counts, fill }),
    steering: (content.steering ?? [])
      .filter(counts)
      .map(({ name: file, content: text }) => ({ name: file, content: fill(text) })),
    mcpServers: resolveServers(content, { counts, fill }),
    ...resolveVariables(content, values),
    policy: resolvePolicy(content, fill),
    ...resolveLimits(content, fill),
    ...resolveBoundary(content, fill),
    lifetime: resolveLifetime(content, fill),
    ...(regions === undefined ? {} : { regions: distinct(regions) }),
    identity: resolveIdentity(content, fill),
    import: distinct(content.import),
  };
}

function resolveBoundary(
  { provider, isolation, workspace = {} }: TemplateContent,
  fill: Filling["fill"],
): Pick<ResolvedTemplate, "provider" | "isolation" | "modes" | "unprotect"> {
  const { modes = [], unprotect } = workspace;
  return {
    ...(provider === undefined ? {} : { provider }),
    ...(isolation === undefined ? {} : { isolation }),
    modes: distinct(fill(modes).map(readMode)),
    ...(unprotect === undefined ? {} : { unprotect: distinct(unprotect) }),
  };
}

/** SECURITY: an answer makes it one of the modes or nothing; a mode that nobody meant would hand out the workspace. */
function readMode(text: string): ResolvedTemplate["modes"][number] {
  const read = workspaceModeSchema.safeParse(text);
  if (read.success) return read.data;
  const message = `workspace.modes cannot be ${JSON.stringify(text)}, which a parameter makes it.`;
  throw new CattlegridError("PARAMETER_INVALID", message, {
    hint: `Give one of ${workspaceModeSchema.options.join(", ")}.`,
  });
}

interface Conditional {
  when?: Readonly<Record<string, ParameterValue>> | undefined;
}

interface Filling {
  counts(entry: Conditional): boolean;
  fill<T>(data: T): T;
}

function distinct<T>(list: readonly T[] = []): T[] {
  return [...new Set(list)];
}

function chooseAgent(
  name: string,
  { agent, agents = {} }: TemplateContent,
  asked: string | undefined,
): string {
  const provided = distinct([...(agent === undefined ? [] : [agent]), ...Object.keys(agents)]);
  const chosen = asked ?? agent ?? (provided.length === 1 ? provided[0] : undefined);
  if (chosen === undefined) {
    const message = `The template ${name} names no agent, and neither does the request.`;
    throw new CattlegridError("REQUEST_INVALID", message, {
      hint: provided.length === 0 ? "Name an agent." : `Name one of ${provided.join(", ")}.`,
    });
  }
  if (Object.keys(agents).length === 0 || provided.includes(chosen)) return chosen;
  const message = `The template ${name} is not made for the agent ${chosen}.`;
  throw new CattlegridError("TEMPLATE_FIXED", message, {
    hint: `It is made for ${provided.join(", ")}.`,
  });
}

function resolvePackages({ packages = {} }: TemplateContent): ResolvedTemplate["packages"] {
  const { apt, npm, pip } = packages;
  return { apt: distinct(apt), npm: distinct(npm), pip: distinct(pip) };
}

function resolveRepositories(
  { repositories = [] }: TemplateContent,
  { counts, fill }: Filling,
): ResolvedTemplate["repositories"] {
  return repositories.filter(counts).map(({ when: _when, ...repository }) => {
    const filled = fill(repository);
    return { ...filled, path: checkBelow("repositories", filled.path) };
  });
}

function resolveFiles(
  { files = [] }: TemplateContent,
  { counts, fill }: Filling,
): ResolvedTemplate["files"] {
  return files.filter(counts).map(({ path, content, mode = FILE_MODE }) => ({
    path: checkBelow("files", fill(path)),
    content: fill(content),
    mode: Number.parseInt(mode, 8),
  }));
}

/** SECURITY: what somebody answers may not lead out of the home directory either. */
function checkBelow(list: string, path: string): string {
  if (isBelow(path)) return path;
  const message = `${list}: ${JSON.stringify(path)} would lead out of the home directory.`;
  throw new CattlegridError("PARAMETER_INVALID", message);
}

/** SECURITY: values are variables of a step and never part of its text; those only that it mentions, as its key holds them. */
function resolveStep(
  { name, run, root = false, environment = {}, inputs = {}, timeout }: SetupStep,
  index: number,
  values: ParameterValues,
): ResolvedTemplate["setup"][number] {
  const filled = fillData(environment, values);
  const mentions = (variable: string): boolean => new RegExp(`\\b${variable}\\b`).test(run);
  const answers = Object.entries(values)
    .map(([parameter, value]) => [`PARAM_${parameter.toUpperCase()}`, String(value)] as const)
    .filter(([variable]) => mentions(variable));
  return {
    name: name ?? `step ${index + 1}`,
    run,
    root,
    environment: { ...filled, ...Object.fromEntries(answers) },
    inputs,
    timeoutMs:
      timeout === undefined ? SETUP_TIMEOUT_MS : readAmount("setup", timeout, readDuration),
  };
}

function resolveServers(
  { mcpServers = {} }: TemplateContent,
  { counts, fill }: Filling,
): ResolvedTemplate["mcpServers"] {
  const kept = Object.entries(mcpServers).filter(([, server]) => counts(server));
  return Object.fromEntries(
    kept.map(([name, { when: _when, ...server }]) => [name, fill(server)] as const),
  );
}

/** SECURITY: the value of a parameter that names a secret is no variable's value: it becomes a binding of the vault. */
function resolveVariables(
  { parameters = {}, environment = {}, secrets = {} }: TemplateContent,
  values: ParameterValues,
): Pick<ResolvedTemplate, "environment" | "bindings"> {
  const isBinding = ([, text]: [string, string]): boolean =>
    parameters[wholeReference(text) ?? ""]?.type === "secret";
  const entries = Object.entries(environment);
  const fill = ([variable, text]: [string, string]): [string, string] => [
    variable,
    fillText(text, values),
  ];
  const bound = [...entries.filter(isBinding), ...Object.entries(secrets)];
  return {
    environment: Object.fromEntries(entries.filter((entry) => !isBinding(entry)).map(fill)),
    bindings: Object.fromEntries(bound.map(fill)),
  };
}

function resolvePolicy(
  { policy = {} }: TemplateContent,
  fill: Filling["fill"],
): ResolvedTemplate["policy"] {
  const { preset, allow, deny, ceilings = [] } = policy;
  return {
    ...(preset === undefined ? {} : { preset }),
    allow: distinct(fill(allow)),
    deny: distinct(fill(deny)),
    ceilings: [...ceilings],
  };
}

function resolveLimits(
  { limits = {} }: TemplateContent,
  fill: Filling["fill"],
): Pick<ResolvedTemplate, "limits" | "limitsRequired"> {
  const { cpus, memory, pids, required = true } = fill(limits);
  const read = {
    ...(cpus === undefined ? {} : { cpus: readAmount("limits.cpus", cpus, readPositive) }),
    ...(memory === undefined ? {} : { memoryBytes: readAmount("limits.memory", memory, readSize) }),
    ...(pids === undefined ? {} : { pids: readAmount("limits.pids", pids, readWhole) }),
  };
  const checked = limitsSchema.safeParse(read);
  if (!checked.success) {
    const [issue] = checked.error.issues;
    const message = `limits.${issue?.path.join(".") ?? ""}: ${issue?.message ?? "out of range"}.`;
    throw new CattlegridError("PARAMETER_INVALID", message);
  }
  return {
    limits: read,
    limitsRequired: required,
  };
}

function resolveLifetime(
  { lifetime = {} }: TemplateContent,
  fill: Filling["fill"],
): ResolvedTemplate["lifetime"] {
  const { idleStop, maxAge, removeAfterSession = false } = fill(lifetime);
  const read = (what: string, text: string): number =>
    readAmount(`lifetime.${what}`, text, readDuration);
  return {
    ...(idleStop === undefined ? {} : { idleStopMs: read("idleStop", idleStop) }),
    ...(maxAge === undefined ? {} : { maxAgeMs: read("maxAge", maxAge) }),
    removeAfterSession,
  };
}

function resolveIdentity(
  { identity = {} }: TemplateContent,
  fill: Filling["fill"],
): ResolvedTemplate["identity"] {
  const { startUrl, region, profile } = fill(identity);
  return {
    ...(startUrl === undefined ? {} : { startUrl }),
    ...(region === undefined ? {} : { region }),
    ...(profile === undefined ? {} : { profile }),
  };
}

function readAmount(
  what: string,
  value: string | number,
  read: (text: string) => number | undefined,
): number {
  const amount = read(String(value));
  if (amount !== undefined) return amount;
  const message = `${what} cannot be ${JSON.stringify(value)}, which a parameter makes it.`;
  throw new CattlegridError("PARAMETER_INVALID", message, {
    hint: "Give a value such as the template's own defaults: `cattlegrid template show NAME`.",
  });
}

function readPositive(text: string): number | undefined {
  const number = Number(text);
  return text.trim() !== "" && Number.isFinite(number) && number > 0 ? number : undefined;
}

function readWhole(text: string): number | undefined {
  const number = readPositive(text);
  return number !== undefined && Number.isInteger(number) ? number : undefined;
}
