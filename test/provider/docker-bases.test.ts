/** Templates at the Docker provider: bases as images of the engine, steps of setup as its layers, nothing left of either. */
import { deepEqual } from "node:assert";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { assert } from "../../src/errors/error.ts";
import {
  answer,
  NEVER,
  SandboxYard,
  succeeding,
  type MakeProvider,
} from "../../src/testing/conformance/sandbox-yard.ts";
import { DOCKER, DockerRig, IMAGE } from "../support/docker-rig.ts";
import { makeSmallBase } from "../support/small-base.ts";
import { describeTemplateBases } from "../support/template-bases.ts";

const rig = await DockerRig.forFile();
const makeProvider: MakeProvider = (directories) => {
  assert(rig !== undefined, "no engine");
  return rig.provider(directories);
};

describeTemplateBases({
  name: "at the Docker provider",
  needed: DOCKER,
  makeProvider,
  rooted: DOCKER,
});

describe.skipIf(!DOCKER.met)(DOCKER.title("a base with a Docker engine"), () => {
  let yard: SandboxYard;
  beforeAll(() => {
    yard = new SandboxYard(makeProvider);
  });
  afterAll(async () => yard.close());

  const names = async (): Promise<readonly string[]> => {
    const listed = await rig?.docker("images", "--format", "{{.Repository}}:{{.Tag}}");
    return (listed ?? "").split("\n").filter((name) => !name.startsWith(IMAGE));
  };

  test("that has an image of that name is that image, which keeps its names", async () => {
    const { bases } = yard.provider;
    const source = { kind: "image", reference: IMAGE } as const;
    const base = await bases?.prepare(source, { signal: NEVER });
    assert(base !== undefined && bases !== undefined, "no bases");
    const sandbox = await yard.start({ base });
    expect(sandbox.facts["image"]).toContain(base.id);
    expect(await answer(sandbox, "id -un; git --version")).toMatch(/^agent\ngit version/);
    // The same holds as on the provider's own image.
    const done = await succeeding(sandbox, [
      "touch /x",
      "touch /usr/bin/x",
      "mount -t tmpfs none /mnt",
      "chmod u+s ~ && touch ~/s && chmod u+s ~/s",
      "touch ~/x",
    ]);
    expect(done).toEqual(["touch ~/x"]);
    await expect(sandbox.exec({ argv: ["id"], root: true }, NEVER)).rejects.toMatchObject({
      code: "PROVIDER_UNSUPPORTED",
    });
    await sandbox.stop();
    await bases.remove(base.id);
    expect(await names()).toEqual([]);
    expect(await rig?.docker("images", "--quiet", IMAGE)).not.toBe("");
  });

  test("that has lost the image says so, and gets it again; images that nothing names are removed", async () => {
    const { bases } = yard.provider;
    const path = yard.makeDirectory("small");
    await makeSmallBase(path);
    const prepare = () => bases?.prepare({ kind: "directory", path }, { signal: NEVER });
    const [base, same] = await Promise.all([prepare(), prepare()]);
    assert(base !== undefined && bases !== undefined, "no bases");
    expect(same).toEqual(base);
    const specification = yard.specify({ base });
    await (await yard.startAs(specification)).stop();
    const [name = "", ...others] = await names();
    expect(others).toEqual([]);
    await rig?.docker("rmi", name);
    await expect(yard.startAgain(specification)).rejects.toMatchObject({
      code: "IMAGE_MISSING",
      hint: expect.stringContaining("recreate"),
    });
    await prepare();
    expect(await answer(await yard.startAgain(specification), "cat /etc/os-release")).toBe(
      "NAME=Small",
    );
    await rig?.docker("tag", IMAGE, name.replace(/:.*/, ":tar-0123"));
    await yard.provider.reap(new Set(yard.ids));
    expect(await names()).toEqual([name]);
    await yard.provider.destroy(specification.id);
    await bases.remove(base.id);
    expect(await names()).toEqual([]);
  });
});

afterAll(async () => {
  if (rig === undefined) return;
  deepEqual(await rig.count(), { containers: 0, volumes: 0, networks: 2 });
  deepEqual(await rig.docker("images", "--all", "--format", "{{.Repository}}"), IMAGE);
});
