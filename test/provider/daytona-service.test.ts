import { describeSandboxProvider } from "../../src/testing/conformance/sandbox-provider.ts";
import { createDaytonaProvider } from "../../src/sandbox/providers/daytona/provider.ts";
import { requirement } from "../support/requirement.ts";

/** Sandboxes there cost money, so nobody runs these without meaning it. */
const account = requirement("an account at Daytona", () =>
  process.env["DAYTONA_API_KEY"] ? undefined : "asked for by DAYTONA_API_KEY",
);

describeSandboxProvider("daytona sandbox provider, against the service itself", {
  makeProvider: ({ stateDirectory }) =>
    createDaytonaProvider({ stateDirectory, read: async (name) => process.env[name] || undefined }),
  requirement: account,
  // The user and the files are those of Daytona's snapshot, or of the one that is named.
  home: process.env["CATTLEGRID_TEST_DAYTONA_HOME"] ?? "/home/daytona",
  differences: ["kept-tmp"],
  capabilities: {
    isolation: ["remote"],
    workspaceModes: ["overlay"],
    workspaceFiles: "copied",
    layers: false,
    egress: "address",
    ports: false,
    snapshot: false,
    warmPool: false,
  },
});
