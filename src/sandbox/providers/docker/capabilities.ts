import type { ProviderSetting } from "../../../protocol/provider.ts";
import type { SandboxCapabilities } from "../../provider.ts";

/** The most that the Docker provider can do on any machine. */
export const DOCKER_CAPABILITIES: SandboxCapabilities = {
  isolation: ["container", "gvisor"],
  workspaceModes: ["direct", "readonly", "overlay", "clone"],
  workspaceFiles: "shared",
  userland: "own",
  layers: true,
  egress: "enforced",
  limits: ["cpus", "memory", "pids"],
  ports: true,
  snapshot: false,
  warmPool: false,
  bases: true,
};

export const DOCKER_SETTINGS = [
  {
    key: "host",
    variable: "DOCKER_HOST",
    summary: "the engine's socket on this machine; default `/var/run/docker.sock`",
    example: "unix:///run/podman/podman.sock",
    pattern: "^(unix://)?/.+$",
  },
  {
    key: "image",
    variable: "CATTLEGRID_DOCKER_IMAGE",
    summary: "from which sandboxes are made; default `cattlegrid-base`. It is never pulled",
    example: "registry.example/team/agents:3",
    pattern: "^[\\w./:@-]+$",
  },
] as const satisfies readonly ProviderSetting[];

export type DockerVariable = (typeof DOCKER_SETTINGS)[number]["variable"];
