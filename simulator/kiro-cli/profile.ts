import { readFileSync } from "node:fs";
import { join } from "node:path";

/** What runs a chat. V1 and V2 are programs of their own; V3 is a server that unpacks itself. */
export type Engine = "v1" | "v2" | "v3";

/**
 * Which of the recorded behaviours the stand-in shows. Each field is set by a variable of the
 * FAKE_KIRO_ family, never by one of Kiro's own names, so that no test setting can reach real Kiro.
 */
export interface Profile {
  /** FAKE_KIRO_VERSION. */
  version: string;
  /** FAKE_KIRO_ENGINE: what runs when no flag names an engine. */
  engine: Engine;
  /** FAKE_KIRO_DEVICE_URL: `auto` shows the address in a remote session or without a browser, `remote` only in a remote session, `never` not at all. */
  deviceUrl: "auto" | "remote" | "never";
  /** FAKE_KIRO_NO_CREDENTIALS: how a chat without a sign-in behaves. */
  noCredentials: "browser" | "hang" | "refuse";
  /** FAKE_KIRO_UNTRUSTED: how a headless turn treats a tool nobody trusted. */
  untrusted: "deny" | "exit" | "hang";
  /** FAKE_KIRO_WHOAMI_EMAIL=1: newer builds name the address of a Builder ID too. */
  showsEmail: boolean;
  /** FAKE_KIRO_CHUNK_BYTES: stdout is written in pieces of this size; 0 for whole texts. */
  chunkBytes: number;
  /** FAKE_KIRO_START_MS: how long a chat takes before it does anything; with the real program 15 to 23 s are on record. */
  startMs: number;
  /** FAKE_KIRO_TELEMETRY_MS: how long it waits for a telemetry host that stays silent; 15 s as with the real program. */
  telemetryMs: number;
  /** FAKE_KIRO_CONNECT: host:port that stands for every host, for tests without a sandbox. */
  connect: string | undefined;
}

type Values = Readonly<Record<string, string | undefined>>;

/** The package's own defaults, overridden by the environment. */
export function readProfile(environment: Values): Profile {
  const values: Values = { ...readPackaged(), ...environment };
  return {
    version: values["FAKE_KIRO_VERSION"] ?? "2.21.2",
    engine: choose(values, "FAKE_KIRO_ENGINE", ["v1", "v2", "v3"]),
    deviceUrl: choose(values, "FAKE_KIRO_DEVICE_URL", ["auto", "remote", "never"]),
    noCredentials: choose(values, "FAKE_KIRO_NO_CREDENTIALS", ["browser", "hang", "refuse"]),
    untrusted: choose(values, "FAKE_KIRO_UNTRUSTED", ["deny", "exit", "hang"]),
    showsEmail: values["FAKE_KIRO_WHOAMI_EMAIL"] === "1",
    chunkBytes: Number(values["FAKE_KIRO_CHUNK_BYTES"] ?? 0),
    startMs: Number(values["FAKE_KIRO_START_MS"] ?? 0),
    telemetryMs: Number(values["FAKE_KIRO_TELEMETRY_MS"] ?? 15_000),
    connect: values["FAKE_KIRO_CONNECT"],
  };
}

/** The first choice is the default; a wrong value is an error, not a silent default. */
function choose<const T extends string>(values: Values, name: string, choices: readonly T[]): T {
  const value = values[name] ?? choices[0];
  const choice = choices.find((candidate) => candidate === value);
  if (choice === undefined) throw new Error(`${name} must be one of ${choices.join(", ")}`);
  return choice;
}

function readPackaged(): Values {
  try {
    return JSON.parse(readFileSync(join(import.meta.dirname, "profile.json"), "utf8")) as Values;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return {};
    throw error;
  }
}
