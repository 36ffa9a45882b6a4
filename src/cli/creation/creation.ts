import { readFile, realpath } from "node:fs/promises";
import { resolve } from "node:path";
import { CattlegridError } from "../../errors/error.ts";
import { readGitIdentity } from "../../platform/git-identity.ts";
import type { SandboxCreate } from "../../protocol/sandbox.ts";
import { parseChoice, parseCpus, parseLongDuration, parseMemory } from "./amount.ts";
import { type FlagValues, usage } from "../arguments.ts";
import type { Caller } from "../caller.ts";
import type { CREATION_FLAGS } from "./creation-flags.ts";
import { readMirrors } from "../../client/mirrors.ts";
import { readParameters } from "../template/given-parameters.ts";
import { describeBindings } from "../secret/binding-flag.ts";
import type { Settings } from "../settings.ts";

export type CreationFlags = FlagValues<typeof CREATION_FLAGS>;

const ISOLATIONS = ["namespaces", "container", "gvisor", "microvm", "remote"] as const;
const MODES = ["direct", "readonly", "overlay", "clone"] as const;

export interface CreationSources {
  caller: Caller;
  settings: Settings;
  /** The variables of `-e` that are no secrets. */
  environment: Record<string, string>;
  signal: AbortSignal;
  verb: string;
  /** What a person picked; counts before flags and settings. */
  template?: string | undefined;
}

/** What a new sandbox is to be, from flags, settings and the calling shell. */
export async function describeCreation(
  flags: CreationFlags,
  sources: CreationSources,
): Promise<SandboxCreate> {
  const { caller, settings, environment, signal } = sources;
  const choose = (name: keyof typeof CREATION_FLAGS): string | undefined => {
    const value = flags[name];
    return typeof value === "string" ? value : settings.flags[name];
  };
  const mirrors = await readMirrors(caller, settings);
  return dropAbsent({
    name: flags.name,
    template: await describeTemplate(flags, sources),
    provider: choose("provider"),
    isolation: map(choose("isolation"), (text) => parseChoice(text, "--isolation", ISOLATIONS)),
    mode: map(choose("mode"), (text) => parseChoice(text, "--mode", MODES)),
    environment,
    ...describeBindings(flags.secret),
    policy: await readPolicy(choose("policy"), caller.directory),
    // Absent rather than empty: a daemon of before knows no such field.
    regions: emptyAsAbsent(flags.region.length > 0 ? flags.region : settings.regions),
    loginProfile: choose("profile"),
    allow: [...settings.allow, ...flags.allow],
    deny: [...settings.deny, ...flags.deny],
    include: emptyAsAbsent(flags.include),
    unprotect: flags.unprotect.length === 0 ? undefined : [...flags.unprotect],
    limits: dropAbsent({
      cpus: map(choose("cpus"), (text) => parseCpus(text, "--cpus")),
      memoryBytes: map(choose("memory"), (text) => parseMemory(text, "--memory")),
    }),
    idleStopMs: map(choose("idle-stop"), (text) => parseLongDuration(text, "--idle-stop")),
    maxAgeMs: map(choose("max-age"), (text) => parseLongDuration(text, "--max-age")),
    toolchains: [...settings.toolchains],
    gitIdentity:
      (flags["git-identity"] ?? settings.gitIdentity)
        ? await readGitIdentity(caller.environment, signal)
        : undefined,
    mirrors,
    imported: describeImport(flags, sources),
    origins: findOrigins(flags, sources),
  });
}

/** The template and the answers to its questions; an empty name is none. Throws USAGE for answers to nobody's questions. */
async function describeTemplate(
  flags: CreationFlags,
  { caller, settings, verb, template: picked }: CreationSources,
): Promise<SandboxCreate["template"]> {
  const name = picked ?? flags.template ?? settings.flags["template"] ?? "";
  const parameters = await readParameters(flags, { verb, directory: caller.directory });
  const hasParameters = Object.keys(parameters).length > 0;
  if (name === "") {
    if (hasParameters) throw usage(verb, "--param answers a template: name one with --template.");
    return undefined;
  }
  const yields = [
    ...Object.entries(FLAG_SETTINGS).flatMap(([setting, flag]) =>
      flags[flag] === undefined ? [setting] : [],
    ),
    ...(flags.region.length === 0 ? ["regions"] : []),
  ];
  return { name, ...(hasParameters ? { parameters } : {}), yields };
}

/** Absent without a template: a daemon of before knows no such field. */
function describeImport(
  flags: CreationFlags,
  { settings, verb, template: picked }: CreationSources,
): SandboxCreate["imported"] {
  const name = picked ?? flags.template ?? settings.flags["template"] ?? "";
  if (name !== "") return flags.import === true ? "require" : "ask";
  if (flags.import !== true) return undefined;
  throw usage(verb, "--import is for a template that asks for it: name one with --template.");
}

/** Settings that are a flag's value, by the name `inspect` shows. */
const FLAG_SETTINGS = {
  template: "template",
  provider: "provider",
  isolation: "isolation",
  mode: "mode",
  policy: "policy",
  cpus: "cpus",
  memory: "memory",
  idleStop: "idle-stop",
  maxAge: "max-age",
  loginProfile: "profile",
  gitIdentity: "git-identity",
} as const;

const LIST_SETTINGS = ["allow", "deny", "regions"];

/** Where each value of a new sandbox was said; what is missing is built in. */
function findOrigins(
  flags: CreationFlags,
  { settings, caller }: CreationSources,
): Record<string, string> | undefined {
  const shown = [...Object.keys(FLAG_SETTINGS), ...LIST_SETTINGS, "toolchains", "mirrors"];
  const said = Object.entries(settings.origins).filter(([name]) => shown.includes(name));
  const origins = Object.fromEntries(said);
  for (const [name, flag] of Object.entries(FLAG_SETTINGS)) {
    if (flags[flag] !== undefined) origins[name] = `--${flag}`;
  }
  if (flags.region.length > 0) origins["regions"] = "--region";
  for (const name of ["allow", "deny"] as const) {
    if (flags[name].length === 0) continue;
    origins[name] = [origins[name], `--${name}`].filter((each) => each !== undefined).join(", ");
  }
  if ((caller.environment["CATTLEGRID_MIRRORS"] ?? "") !== "")
    origins["mirrors"] = "CATTLEGRID_MIRRORS";
  // Absent rather than empty: a daemon of before knows no such field.
  return Object.keys(origins).length === 0 ? undefined : origins;
}

/** What of a description the user asked for in this very command, so that it may not be passed over. */
export function keepAsked(request: SandboxCreate, flags: CreationFlags): SandboxCreate {
  const {
    environment: _environment,
    bindings: _bindings,
    toolchains: _toolchains,
    origins: _origins,
    ...rest
  } = request;
  const kept: SandboxCreate = { ...rest };
  for (const name of ["template", "provider", "isolation", "mode", "policy"] as const) {
    if (flags[name] === undefined) delete kept[name];
  }
  if (flags["idle-stop"] === undefined) delete kept.idleStopMs;
  if (flags["max-age"] === undefined) delete kept.maxAgeMs;
  if (flags.profile === undefined) delete kept.loginProfile;
  for (const name of ["allow", "deny"] as const) {
    if (flags[name].length === 0) delete kept[name];
  }
  if (flags.region.length === 0) delete kept.regions;
  if (flags.cpus === undefined && flags.memory === undefined) delete kept.limits;
  return kept;
}

/** The real path of a workspace, of the current directory without one. Throws WORKSPACE_MISSING. */
export async function resolveWorkspace(
  operand: string | undefined,
  directory: string,
): Promise<string> {
  const path = resolve(directory, operand ?? ".");
  try {
    return await realpath(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ENOENT" && code !== "ENOTDIR") throw error;
    throw new CattlegridError("WORKSPACE_MISSING", `The directory ${path} does not exist.`);
  }
}

/** A preset is one word; whatever has a slash or an ending is a file. */
async function readPolicy(
  value: string | undefined,
  directory: string,
): Promise<SandboxCreate["policy"]> {
  if (value === undefined) return undefined;
  if (!/[/.]/.test(value)) return { preset: value };
  const path = resolve(directory, value);
  try {
    return { file: { path, text: await readFile(path, "utf8") } };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === "ENOENT" ? "does not exist" : `cannot be read: ${message}`;
    throw new CattlegridError("POLICY_UNKNOWN", `The policy file ${path} ${why}.`);
  }
}

function emptyAsAbsent(list: readonly string[]): string[] | undefined {
  return list.length === 0 ? undefined : [...list];
}

function map<T>(text: string | undefined, parse: (text: string) => T): T | undefined {
  return text === undefined ? undefined : parse(text);
}

type Present<T> = { [Name in keyof T]?: Exclude<T[Name], undefined> };

/** On the wire an absent field and an undefined one are the same; to the compiler they are not. */
function dropAbsent<T extends object>(value: T): Present<T> {
  const entries = Object.entries(value).filter(([, field]) => field !== undefined);
  return Object.fromEntries(entries) as Present<T>;
}
