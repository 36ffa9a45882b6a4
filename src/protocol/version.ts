/** Version of the HTTP API. The major is in every path; the minor only grows. */
export const API_VERSION = { major: 1, minor: 0 } as const;

/**
 * Headers of every answer, upgrades included: `MAJOR.MINOR` of the API, and the program's version. A client reads the
 * first before it believes an answer.
 */
export const API_VERSION_HEADER = "cattlegrid-api";
export const PROGRAM_VERSION_HEADER = "cattlegrid-version";

/** Answer of `GET /v1/version`. */
export interface DaemonVersion {
  /** Version of the program the daemon runs. */
  version: string;
  api: { major: number; minor: number };
  pid: number;
  startedAt: string;
  stateDirectory: string;
  sandboxesRunning: number;
  sessionsOpen: number;
}
