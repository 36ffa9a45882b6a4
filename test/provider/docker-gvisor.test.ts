/** gVisor as a runtime of Docker: programs have a kernel of its own, and the gateway holds all that it lets out. */
import { deepEqual } from "node:assert";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { assert } from "../../src/errors/error.ts";
import { describeSandboxProvider } from "../../src/testing/conformance/sandbox-provider.ts";
import {
  answer,
  SandboxYard,
  succeeding,
  type MakeProvider,
} from "../../src/testing/conformance/sandbox-yard.ts";
import { describeWaysOut } from "../security/ways-out.ts";
import { DOCKER, DockerRig } from "../support/docker-rig.ts";
import { allOf, MINUTES } from "../support/requirement.ts";
import { RUNSC, SENTRY, underSentry } from "../support/sentry.ts";
import { describeTemplateBases } from "../support/template-bases.ts";

const NEEDED = allOf(DOCKER, SENTRY);
const ARGUMENTS = ["--network=host", "--directfs=false", "--oci-seccomp", "--overlay2=none"];
const rig = await DockerRig.forFile(
  { runtimes: { runsc: { path: RUNSC, runtimeArgs: ARGUMENTS } } },
  NEEDED,
);

const makeBy =
  (way?: "helper" | "relay"): MakeProvider =>
  (directories) => {
    assert(rig !== undefined, "no engine");
    const provider = underSentry(rig.provider(directories, way));
    // Of the engine's limits this grade has no number of processes.
    const capabilities: typeof provider.capabilities = async (signal) => {
      const { limits, ...rest } = await provider.capabilities(signal);
      return { ...rest, limits: limits.filter((limit) => limit !== "pids") };
    };
    return { ...provider, capabilities };
  };

describeSandboxProvider("docker sandbox provider under gVisor", {
  makeProvider: makeBy(),
  requirement: allOf(NEEDED, MINUTES),
  capabilities: {
    limits: ["cpus", "memory"],
    isolation: ["container", "gvisor"],
    workspaceModes: ["direct", "readonly", "overlay", "clone"],
    workspaceFiles: "shared",
    layers: true,
    egress: "enforced",
    ports: true,
    snapshot: false,
    warmPool: false,
    bases: true,
  },
  kernel: "own",
  differences: ["image", "host-ids", "mounts-name-the-host"],
});

for (const way of [undefined, "helper", "relay"] as const) {
  describeWaysOut({
    name: `the Docker provider under gVisor, ${way ?? "entered"}`,
    needed: NEEDED,
    makeProvider: makeBy(way),
    clients: [],
  });
}

describeTemplateBases({
  name: "at the Docker provider under gVisor",
  needed: NEEDED,
  makeProvider: makeBy(),
  isolation: "gvisor",
  rooted: NEEDED,
  isMadeElsewhere: true,
});

describe.skipIf(!NEEDED.met)(NEEDED.title("a sandbox under gVisor in Docker"), () => {
  let yard: SandboxYard;
  beforeAll(() => {
    yard = new SandboxYard(makeBy());
  });
  afterAll(async () => {
    await yard.close();
    deepEqual(await rig?.count(), { containers: 0, volumes: 0, networks: 2 });
  });

  test("has a kernel of its own, threads, and a workspace in which what is protected stays so", async () => {
    const path = yard.makeDirectory("project/.git/hooks").replace("/.git/hooks", "");
    const sandbox = await yard.start({
      workspace: { path, mode: "direct" },
      protectedPaths: [`${path}/.git/hooks`],
    });
    expect(sandbox.facts).toMatchObject({ isolation: "gvisor", limits: { pids: null } });
    expect(await answer(sandbox, "uname -r")).toContain("gvisor");
    const threads =
      "import threading; t = threading.Thread(target=print, args=[7]); t.start(); t.join()";
    expect(await answer(sandbox, `python3 -c '${threads}'`)).toBe("7");
    const done = await succeeding(sandbox, [
      "touch .git/hooks/pre-commit",
      "mv .git other",
      "touch new && chmod u+s new",
      "touch new && chmod +x new",
    ]);
    expect(done).toEqual(["touch new && chmod +x new"]);
  });
});
