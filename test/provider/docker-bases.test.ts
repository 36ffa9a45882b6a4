/** Templates at the Docker provider: bases as images of the engine, steps of setup as its layers, nothing left of either. */
import { deepEqual } from "node:assert";
import { afterAll } from "vitest";
import { assert } from "../../src/errors/error.ts";
import { DOCKER, DockerRig, IMAGE } from "../support/docker-rig.ts";
import { describeTemplateBases } from "../support/template-bases.ts";

const rig = await DockerRig.forFile();

describeTemplateBases({
  name: "at the Docker provider",
  needed: DOCKER,
  makeProvider(directories) {
    assert(rig !== undefined, "no engine");
    return rig.provider(directories);
  },
  rooted: DOCKER,
});

afterAll(async () => {
  if (rig === undefined) return;
  deepEqual(await rig.count(), { containers: 0, volumes: 0, networks: 2 });
  deepEqual(await rig.docker("images", "--all", "--format", "{{.Repository}}"), IMAGE);
});
