import type { SandboxCapabilities } from "../../provider.ts";

/** The most that the Docker provider can do on any machine. */
export const DOCKER_CAPABILITIES: SandboxCapabilities = {
  isolation: ["container", "gvisor"],
  workspaceModes: ["direct", "readonly", "overlay", "clone"],
  workspaceFiles: "shared",
  layers: true,
  egress: "enforced",
  limits: ["cpus", "memory", "pids"],
  ports: true,
  snapshot: false,
  warmPool: false,
};
