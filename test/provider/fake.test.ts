import {
  createFakeProvider,
  describeSandboxProvider,
  requirement,
} from "../../src/testing/index.ts";

describeSandboxProvider("fake sandbox provider", {
  makeProvider: () => createFakeProvider(),
  requirement: requirement("nothing", () => undefined),
  capabilities: {
    isolation: ["none"],
    workspaceModes: ["direct", "readonly"],
    workspaceFiles: "shared",
    layers: true,
    egress: "enforced",
    limits: [],
    ports: false,
    snapshot: false,
    warmPool: true,
  },
});

const COPIED = { workspaceModes: ["overlay"], workspaceFiles: "copied" } as const;

describeSandboxProvider("fake sandbox provider that copies workspaces", {
  makeProvider: () => createFakeProvider({ capabilities: COPIED }),
  requirement: requirement("nothing", () => undefined),
  capabilities: {
    isolation: ["none"],
    ...COPIED,
    layers: true,
    egress: "enforced",
    limits: [],
    ports: false,
    snapshot: false,
    warmPool: true,
  },
});
