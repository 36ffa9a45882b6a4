import { assert } from "../../src/errors/error.ts";
import { describeSandboxProvider } from "../../src/testing/conformance/sandbox-provider.ts";
import { DOCKER, DockerRig } from "../support/docker-rig.ts";

const rig = await DockerRig.forFile();

describeSandboxProvider("docker sandbox provider", {
  makeProvider(directories) {
    assert(rig !== undefined, "no engine");
    return rig.provider(directories);
  },
  requirement: DOCKER,
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
    bases: true,
  },
  differences: ["image", "host-ids", "mounts-name-the-host"],
});
