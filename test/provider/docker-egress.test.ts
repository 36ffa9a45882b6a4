/** Every way by which the gateway gets its sockets in a container hold what the local provider holds. */
import { assert } from "../../src/errors/error.ts";
import { describeWaysOut } from "../security/ways-out.ts";
import { DOCKER, DockerRig } from "../support/docker-rig.ts";

const rig = await DockerRig.forFile();

for (const way of [undefined, "helper", "relay"] as const) {
  describeWaysOut({
    name: `the Docker provider, ${way ?? "entered"}`,
    needed: DOCKER,
    makeProvider(directories) {
      assert(rig !== undefined, "no engine");
      return rig.provider(directories, way);
    },
    clients: way === "helper" ? [] : ["Python"],
  });
}
