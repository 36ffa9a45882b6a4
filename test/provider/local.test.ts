import { createLocalProvider } from "../../src/sandbox/providers/local/provider.ts";
import { describeSandboxProvider } from "../conformance/sandbox-provider.ts";
import { allOf, program } from "../support/requirement.ts";

describeSandboxProvider("local sandbox provider", {
  makeProvider: createLocalProvider,
  requirement: allOf(program("crun"), program("unshare"), program("nsenter")),
  capabilities: {
    isolation: ["namespaces"],
    workspaceModes: ["direct", "readonly", "overlay", "clone"],
    egress: "connection",
  },
});
