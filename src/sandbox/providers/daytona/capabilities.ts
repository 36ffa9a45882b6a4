import type { SandboxCapabilities } from "../../provider.ts";

/** The most that the Daytona provider can do with any account. */
export const DAYTONA_CAPABILITIES: SandboxCapabilities = {
  isolation: ["remote"],
  workspaceModes: ["overlay"],
  workspaceFiles: "copied",
  layers: false,
  egress: "address",
  limits: ["cpus", "memory"],
  ports: false,
  snapshot: false,
  warmPool: false,
};

/** What a user says of their account, by the names that Daytona's own programs read. */
export const DAYTONA_VARIABLES = [
  "DAYTONA_API_KEY",
  "DAYTONA_API_URL",
  "DAYTONA_TARGET",
  "CATTLEGRID_DAYTONA_SNAPSHOT",
  "CATTLEGRID_DAYTONA_IMAGE",
] as const;
