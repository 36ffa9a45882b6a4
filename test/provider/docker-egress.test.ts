/** Every way by which the gateway gets its sockets in a container hold what the local provider holds. */
import { describe } from "vitest";
import { assert } from "../../src/errors/error.ts";
import { describePorts } from "../../src/testing/conformance/ports.ts";
import type { MakeProvider } from "../../src/testing/conformance/sandbox-yard.ts";
import { describeWaysOut } from "../security/ways-out.ts";
import { DOCKER, DockerRig } from "../support/docker-rig.ts";
import { requirement } from "../support/requirement.ts";

const rig = await DockerRig.forFile();

const makeBy =
  (way?: "helper" | "relay"): MakeProvider =>
  (directories) => {
    assert(rig !== undefined, "no engine");
    return rig.provider(directories, way);
  };

for (const way of [undefined, "helper", "relay"] as const) {
  describeWaysOut({
    name: `the Docker provider, ${way ?? "entered"}`,
    needed: DOCKER,
    makeProvider: makeBy(way),
    clients: way === "helper" ? [] : ["Python"],
  });
}

describe.skipIf(!DOCKER.met)(
  DOCKER.title("the network of a sandbox whose sockets a helper made"),
  () => {
    describePorts({
      makeProvider: makeBy("helper"),
      kernel: "host",
      home: "/home/agent",
      mode: "direct",
      limits: requirement("limits", () => undefined),
      differences: [],
    });
  },
);
