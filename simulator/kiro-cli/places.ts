import { mkdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** Where Kiro keeps what it keeps. */
export interface Places {
  /** Holds data.sqlite3: sign-in, state and V1 conversations. KIRO_HOME does not move it. */
  data: string;
  /** Settings, agents, steering, V2 sessions. */
  kiro: string;
}

export function findPlaces(environment: NodeJS.ProcessEnv): Places {
  const home = environment["HOME"] ?? homedir();
  const share = environment["XDG_DATA_HOME"] ?? join(home, ".local", "share");
  return {
    data: environment["KIRO_DATA_DIR"] ?? join(share, "kiro-cli"),
    kiro: environment["KIRO_HOME"] ?? join(home, ".kiro"),
  };
}

/** Makes the tree that the first command with state leaves behind. */
export function createPlaces(places: Places): void {
  mkdirSync(places.data, { recursive: true, mode: 0o700 });
  for (const folder of ["settings", "agents", "steering", "prompts", "sessions/cli"]) {
    mkdirSync(join(places.kiro, folder), { recursive: true });
  }
}
