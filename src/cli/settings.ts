import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { CattlegridError } from "../errors/error.ts";
import { openPlainFile } from "../platform/plain-file.ts";
import type { Configuration } from "../protocol/configuration.ts";
import type { Caller } from "./caller.ts";
import type { ConfigurationFile, ConfigurationKind } from "./configuration-file.ts";
import { narrow } from "./creation/narrowing.ts";

export const ORGANISATION_FILE = "/etc/cattlegrid/config.yaml";
const PROJECT_FILE = ".cattlegrid/config.yaml";
const PROJECT_BYTES_MAX = 64 * 1024;

/** What stands in for flags that are not given. */
export interface Settings {
  toolchains: readonly string[];
  allow: readonly string[];
  deny: readonly string[];
  /** Of the agent's service. */
  regions: readonly string[];
  /** Values of flags of that name, as one would write them. */
  flags: Readonly<Record<string, string>>;
  gitIdentity: boolean;
  mirrors: Readonly<Record<string, string>>;
  mirrorCertificates?: string;
  /** What sandbox providers are told of accounts and machines: by their ids, then by key. */
  providers: Readonly<Record<string, Readonly<Record<string, ConfiguredValue>>>>;
  /** Where each value was said, by the name of its setting. */
  origins: Readonly<Record<string, string>>;
}

export interface ConfiguredValue {
  /** SECURITY: a secret is where it says, and not in the file. */
  value: string | { secret: string } | { env: string };
  /** File and line. */
  place: string;
}

export const NO_SETTINGS: Settings = {
  toolchains: [],
  allow: [],
  deny: [],
  regions: [],
  flags: {},
  gitIdentity: true,
  mirrors: {},
  providers: {},
  origins: {},
};

/** Settings that are values of flags: by their name, the flag's. */
const FLAGS = {
  template: "template",
  provider: "provider",
  isolation: "isolation",
  mode: "mode",
  policy: "policy",
  idleStop: "idle-stop",
  maxAge: "max-age",
  cpus: "cpus",
  memory: "memory",
  detachKeys: "detach-keys",
  installTimeout: "install-timeout",
  loginTimeout: "login-timeout",
  turnTimeout: "turn-timeout",
  loginProfile: "profile",
  identityProvider: "identity-provider",
  identityRegion: "identity-region",
} as const;

type FlagSetting = keyof typeof FLAGS;

export interface SettingsSources {
  /** Whose project file counts too. */
  workspace?: string | undefined;
  /** Default: the machine's. */
  organisationFile?: string;
}

/**
 * Reads what counts for the caller, the later the stronger: the organisation's file, the user's own, the project's as
 * far as it narrows, the environment. Throws CONFIG_INVALID with file, line and column.
 */
export async function readSettings(
  caller: Pick<Caller, "environment" | "paths">,
  sources: SettingsSources = {},
): Promise<Settings> {
  const { workspace, organisationFile = ORGANISATION_FILE } = sources;
  const own = join(caller.paths.stateDirectory, "config.yaml");
  let settings = NO_SETTINGS;
  for (const path of [organisationFile, own]) {
    const file = await parseIfPresent(await readIfPresent(path), path, "own");
    if (file !== undefined) settings = addFile(settings, file, path);
  }
  if (workspace !== undefined) settings = await addProject(settings, workspace);
  return addEnvironment(settings, caller.environment);
}

async function addProject(settings: Settings, workspace: string): Promise<Settings> {
  const path = join(workspace, PROJECT_FILE);
  const text = await openPlainFile(path, { bytesMax: PROJECT_BYTES_MAX, within: workspace });
  const file = await parseIfPresent(text, path, "project");
  return file === undefined ? settings : addFile(settings, narrow(file, settings.flags), path);
}

async function parseIfPresent(
  text: string | undefined,
  path: string,
  kind: ConfigurationKind,
): Promise<ConfigurationFile | undefined> {
  if (text === undefined) return undefined;
  const { parseConfiguration } = await import("./configuration-file.ts");
  return parseConfiguration(text, path, kind);
}

async function readIfPresent(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw new CattlegridError("CONFIG_INVALID", `${path} cannot be read: ${message}`, {
      cause: error,
    });
  }
}

/** `path` is where the values came from: relative paths in them begin at its directory. */
export function addFile(
  settings: Settings,
  { values, places }: ConfigurationFile,
  path: string,
): Settings {
  const locate = (text: string): string =>
    text.startsWith("~/") ? join(homedir(), text.slice(2)) : resolve(dirname(path), text);
  const { toolchains = [], allow = [], deny = [], mirrors = {} } = values;
  const { mirrorCertificates: certificates } = values;
  return {
    toolchains: [...settings.toolchains, ...toolchains.map(locate)],
    allow: [...settings.allow, ...allow],
    deny: [...settings.deny, ...deny],
    regions: values.regions ?? settings.regions,
    flags: { ...settings.flags, ...readFlags(values, locate) },
    gitIdentity: values.gitIdentity ?? settings.gitIdentity,
    mirrors: { ...settings.mirrors, ...mirrors },
    ...(certificates === undefined
      ? keepCertificates(settings)
      : { mirrorCertificates: locate(certificates) }),
    providers: addProviders(settings.providers, values.providers ?? {}, places),
    origins: joinOrigins(settings.origins, topLevel(places)),
  };
}

/** Of a key that several files have, the later counts. */
function addProviders(
  earlier: Settings["providers"],
  later: NonNullable<Configuration["providers"]>,
  places: Settings["origins"],
): Settings["providers"] {
  const added = Object.entries(later).map(([id, values]) => {
    const placed = Object.entries(values).map(([key, value]) => {
      return [key, { value, place: places[`providers.${id}.${key}`] ?? "" }] as const;
    });
    return [id, { ...earlier[id], ...Object.fromEntries(placed) }] as const;
  });
  return { ...earlier, ...Object.fromEntries(added) };
}

function topLevel(places: Settings["origins"]): Settings["origins"] {
  return Object.fromEntries(Object.entries(places).filter(([name]) => !name.includes(".")));
}

function keepCertificates({ mirrorCertificates }: Settings): Pick<Settings, "mirrorCertificates"> {
  return mirrorCertificates === undefined ? {} : { mirrorCertificates };
}

function readFlags(
  values: Configuration,
  locate: (text: string) => string,
): Record<string, string> {
  const flags: Record<string, string> = {};
  for (const [name, flag] of Object.entries(FLAGS) as [FlagSetting, string][]) {
    const value = values[name];
    if (value === undefined) continue;
    const text = String(value);
    flags[flag] = name === "policy" && text.includes("/") ? locate(text) : text;
  }
  return flags;
}

const JOINED: ReadonlySet<string> = new Set(["toolchains", "allow", "deny", "mirrors"]);

/** What is joined from several files has several origins. */
function joinOrigins(
  earlier: Settings["origins"],
  later: Settings["origins"],
): Record<string, string> {
  const origins: Record<string, string> = { ...earlier };
  for (const [name, place] of Object.entries(later)) {
    const before = JOINED.has(name) ? earlier[name] : undefined;
    origins[name] = before === undefined ? place : `${before}, ${place}`;
  }
  return origins;
}

/** `CATTLEGRID_IDLE_STOP` stands for `idleStop`, and so on for every setting that is a flag's value. */
function addEnvironment(settings: Settings, environment: Caller["environment"]): Settings {
  const flags: Record<string, string> = { ...settings.flags };
  const origins: Record<string, string> = { ...settings.origins };
  for (const [name, flag] of Object.entries(FLAGS)) {
    const variable = `CATTLEGRID_${flag.replaceAll("-", "_").toUpperCase()}`;
    const value = environment[variable];
    if (value === undefined || value === "") continue;
    flags[flag] = value;
    origins[name] = variable;
  }
  return { ...settings, flags, origins };
}
