/** Version of the HTTP API. The major is in every path; the minor grows with each release that adds to it. */
export const API_VERSION = { major: 1, minor: 1 } as const;

/**
 * Headers of every answer, upgrades included: `MAJOR.MINOR` of the API, and the program's version. A client reads the
 * first before it believes an answer.
 */
export const API_VERSION_HEADER = "cattlegrid-api";
export const PROGRAM_VERSION_HEADER = "cattlegrid-version";
