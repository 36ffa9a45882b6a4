import type { ProviderSetting } from "../../../protocol/provider.ts";
import type { SandboxCapabilities } from "../../provider.ts";

/** The most that the Daytona provider can do with any account. */
export const DAYTONA_CAPABILITIES: SandboxCapabilities = {
  isolation: ["remote"],
  workspaceModes: ["overlay"],
  workspaceFiles: "copied",
  userland: "own",
  layers: false,
  egress: "address",
  limits: ["cpus", "memory"],
  ports: false,
  snapshot: false,
  warmPool: false,
};

/** What a user says of their account; variables are those that Daytona's own programs read. */
export const DAYTONA_SETTINGS = [
  {
    key: "apiKey",
    variable: "DAYTONA_API_KEY",
    summary: "the key of your account",
    example: "{ secret: work-daytona }",
    isSecret: true,
  },
  {
    key: "apiUrl",
    variable: "DAYTONA_API_URL",
    summary:
      "where the API is; default `https://app.daytona.io/api`. Plain `http` only on this machine",
    example: "https://daytona.example/api",
    pattern: "^https?://.+$",
  },
  {
    key: "target",
    variable: "DAYTONA_TARGET",
    summary: "the region; default your organisation's",
    example: "eu",
  },
  {
    key: "snapshot",
    variable: "CATTLEGRID_DAYTONA_SNAPSHOT",
    summary: "from which sandboxes are made; default Daytona's own",
    example: "team-agents",
  },
  {
    key: "image",
    variable: "CATTLEGRID_DAYTONA_IMAGE",
    summary:
      "an image in its place; only with one can `--cpus` and `--memory` be given, in whole CPUs and GiB",
    example: "debian:12",
    pattern: "^[\\w./:@-]+$",
  },
] as const satisfies readonly ProviderSetting[];
