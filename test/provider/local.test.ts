import { createLocalProvider } from "../../src/sandbox/providers/local/provider.ts";
import { describeSandboxProvider } from "../../src/testing/conformance/sandbox-provider.ts";
import { allOf, program } from "../support/requirement.ts";

describeSandboxProvider("local sandbox provider", {
  // Whatever gVisor this machine has is another suite's.
  makeProvider: (directories) =>
    createLocalProvider({ ...directories, programs: { runsc: "/no/such/runsc" } }),
  requirement: allOf(program("crun"), program("unshare"), program("nsenter")),
  capabilities: {
    isolation: ["namespaces"],
    workspaceModes: ["direct", "readonly", "overlay", "clone"],
    workspaceFiles: "shared",
    layers: true,
    egress: "enforced",
    ports: true,
    snapshot: false,
    warmPool: true,
    bases: true,
  },
});
