/** Both ways by which the gateway gets its sockets in a container hold what the local provider holds. */
import { assert } from "../../src/errors/error.ts";
import { describeWaysOut } from "../security/ways-out.ts";
import { DOCKER, DockerRig } from "../support/docker-rig.ts";

const rig = await DockerRig.forFile();

for (const way of [undefined, "helper"] as const) {
  describeWaysOut({
    name: `the Docker provider, ${way === undefined ? "entered" : "by a helper"}`,
    needed: DOCKER,
    makeProvider(directories) {
      assert(rig !== undefined, "no engine");
      return rig.provider(directories, way);
    },
    clients: way === undefined ? ["Python"] : [],
  });
}
