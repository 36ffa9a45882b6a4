import type { SandboxCapabilities } from "../../provider.ts";

/** The most that the local provider can do on any machine. */
export const LOCAL_CAPABILITIES: SandboxCapabilities = {
  isolation: ["namespaces", "gvisor"],
  workspaceModes: ["direct", "readonly", "overlay", "clone"],
  workspaceFiles: "shared",
  layers: true,
  egress: "enforced",
  limits: ["cpus", "memory", "pids"],
  ports: true,
  snapshot: false,
  warmPool: true,
  bases: true,
};
