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
    warmPool: false,
  },
});
