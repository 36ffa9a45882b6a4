import { Database } from "./database.ts";
import { Network } from "./network.ts";
import { createPlaces, findPlaces } from "./places.ts";
import type { Places } from "./places.ts";
import { readProfile } from "./profile.ts";
import type { Profile } from "./profile.ts";
import { Settings } from "./settings.ts";

/** What every command works with. */
export interface Context {
  environment: NodeJS.ProcessEnv;
  /** Where the agent works: this program's own directory, or that of an editor's session. */
  directory: string;
  profile: Profile;
  places: Places;
  settings: Settings;
  network: Network;
  /** Opens, and makes, the database; a command that only prints must not call it. */
  database(): Database;
}

export function createContext(environment: NodeJS.ProcessEnv): Context {
  const profile = readProfile(environment);
  const places = findPlaces(environment);
  let database: Database | undefined;
  return {
    environment,
    directory: process.cwd(),
    profile,
    places,
    settings: new Settings(places),
    network: new Network(environment, profile.connect),
    database: () => {
      createPlaces(places);
      database ??= new Database(places.data);
      return database;
    },
  };
}

/** Reports that a command ran. A host that drops packets costs the full wait, as it does with Kiro. */
export async function reportTelemetry(context: Context, command: string): Promise<void> {
  const { environment, network, settings } = context;
  const isOff =
    settings.get("telemetry.enabled") === false ||
    environment["KIRO_DISABLE_TELEMETRY"] !== undefined ||
    environment["Q_DISABLE_TELEMETRY"] !== undefined;
  if (isOff) return;
  try {
    await network.post({
      host: "telemetry.us-east-1.kiro.dev",
      path: "/metrics",
      body: { command },
      timeoutMs: context.profile.telemetryMs,
    });
  } catch (error) {
    // Telemetry that cannot be delivered is dropped without a word; anything else is a fault here.
    if (!(error instanceof Error)) throw error;
  }
}
