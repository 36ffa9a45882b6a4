import { afterAll } from "vitest";
import { createDockerProvider } from "../../src/sandbox/providers/docker/provider.ts";
import { describeSandboxProvider } from "../../src/testing/conformance/sandbox-provider.ts";
import { DOCKER, DockerRig, IMAGE } from "../support/docker-rig.ts";

const rig = DOCKER.met ? await DockerRig.open() : undefined;
afterAll(async () => {
  await rig?.[Symbol.asyncDispose]();
});
// What the engine is to mount has to lie where it sees this machine's mounts.
if (rig !== undefined) process.env["TMPDIR"] = rig.directory;

describeSandboxProvider("docker sandbox provider", {
  makeProvider: (directories) =>
    createDockerProvider({ ...directories, host: `unix://${rig?.socketPath}`, image: IMAGE }),
  requirement: DOCKER,
  capabilities: {
    isolation: ["container"],
    workspaceModes: ["direct", "readonly", "overlay", "clone"],
    egress: "enforced",
    ports: true,
    snapshot: false,
    warmPool: false,
  },
  differences: ["image", "host-ids", "mounts-name-the-host"],
});
