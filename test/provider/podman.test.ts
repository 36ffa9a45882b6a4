/** Podman's socket in the place of Docker's. */
import { assert } from "../../src/errors/error.ts";
import { describeSandboxProvider } from "../../src/testing/conformance/sandbox-provider.ts";
import type { MakeProvider } from "../../src/testing/conformance/sandbox-yard.ts";
import { describeWaysOut } from "../security/ways-out.ts";
import { PODMAN, PodmanRig } from "../support/podman-rig.ts";
import { allOf, MINUTES } from "../support/requirement.ts";

const rig = await PodmanRig.forFile(PODMAN.met);

const makeBy =
  (way?: "helper" | "relay"): MakeProvider =>
  (directories) => {
    assert(rig !== undefined, "no engine");
    return rig.provider(directories, way);
  };

describeSandboxProvider("docker sandbox provider on Podman", {
  makeProvider: makeBy(),
  requirement: allOf(MINUTES, PODMAN),
  capabilities: {
    isolation: ["container"],
    workspaceModes: ["direct", "readonly", "overlay", "clone"],
    workspaceFiles: "shared",
    userland: "own",
    layers: true,
    egress: "enforced",
    ports: true,
    snapshot: false,
    warmPool: false,
  },
  differences: ["image", "host-ids", "mounts-name-the-host", "closed-run", "plain-paths"],
});

for (const way of [undefined, "helper", "relay"] as const) {
  describeWaysOut({
    name: `the Docker provider on Podman, ${way ?? "entered"}`,
    needed: PODMAN,
    makeProvider: makeBy(way),
    clients: [],
  });
}
