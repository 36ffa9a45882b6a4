import { afterAll } from "vitest";
import { describeSandboxProvider } from "../../src/testing/conformance/sandbox-provider.ts";
import { providerAt } from "../support/daytona-rig.ts";
import { DAYTONA_NEEDS, openFakeDaytona } from "../support/fake-daytona.ts";

/** More than an account of the first tier has: the suite starts a dozen at once. */
const PLENTY = { cpu: 100, memory: 200, disk: 300 };

const daytona = DAYTONA_NEEDS.met
  ? await openFakeDaytona({ quota: { total: PLENTY, perSandbox: PLENTY } })
  : undefined;
afterAll(() => daytona?.[Symbol.asyncDispose]());

describeSandboxProvider("daytona sandbox provider, against the simulator", {
  makeProvider(directories) {
    if (daytona === undefined) throw new TypeError("no simulator");
    return providerAt(daytona, directories);
  },
  requirement: DAYTONA_NEEDS,
  differences: ["kept-tmp"],
  capabilities: {
    isolation: ["remote"],
    workspaceModes: ["overlay"],
    workspaceFiles: "copied",
    userland: "own",
    layers: false,
    egress: "address",
    limits: [],
    ports: false,
    snapshot: false,
    warmPool: false,
  },
});
