/** Root file systems of templates that nothing uses any more, and those that something does. */
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { succeed } from "../../bench/peers/peer.ts";
import { allOf, program } from "../support/requirement.ts";
import { makeSmallBase } from "../support/small-base.ts";
import { TemplateYard } from "../support/template-yard.ts";

const RUNTIME = allOf(program("crun"), program("unshare"));
const OWNER = "local:7";

describe.skipIf(!RUNTIME.met)(RUNTIME.title("a template's root file system"), () => {
  let directory: string;
  let yard: TemplateYard;
  beforeAll(async () => {
    directory = realpathSync(mkdtempSync(join(tmpdir(), "cg-collected-")));
    await makeSmallBase(join(directory, "small"));
    await succeed(["tar", "-cf", "small.tar", "-C", "small", "."], { cwd: directory });
  });
  afterAll(() => rmSync(directory, { recursive: true }));
  beforeEach(async () => {
    yard = await TemplateYard.open();
    yard.write(`base: { tar: ${directory}/small.tar }`, "setup: [{ run: echo begun }]");
  });
  afterEach(() => yard[Symbol.asyncDispose]());

  const collect = async (beforeMs = Date.now() + 60_000): Promise<readonly string[]> =>
    (await yard.engine.templateLayers.collect(beforeMs)).map(({ layer }) => layer);

  test("is listed with its size and where it is from, and goes with the layers on it", async () => {
    const layers = await yard.build();
    const [base = ""] = yard.kept("bases");
    const listed = await yard.engine.templateLayers.list();
    expect(listed.find(({ layer }) => layer === `base/${base}`)).toMatchObject({
      template: "made",
      steps: [`${directory}/small.tar`],
      sandboxes: 0,
    });
    expect(listed.every(({ bytes }) => bytes > 0)).toBe(true);
    expect(await collect(Date.now() - 60_000)).toEqual([]);
    expect((await collect()).toSorted()).toEqual([`base/${base}`, ...layers].toSorted());
    expect([yard.kept("bases"), yard.kept("layers"), yard.kept("trash")]).toEqual([[], [], []]);
    await yard.build();
    expect(yard.kept("bases")).toEqual([base]);
  });

  test("stays as long as a sandbox stands on it, running or not, and then can be pruned", async () => {
    expect(await yard.say("echo it runs")).toBe("it runs");
    const { sandboxes } = yard.engine;
    const [{ id } = { id: "" }] = await sandboxes.list(OWNER);
    expect(await collect()).toEqual([]);
    await sandboxes.stop(id);
    expect(await collect()).toEqual([]);
    const found = await sandboxes.upkeep.prunable(OWNER, 0);
    const [base] = yard.kept("bases");
    expect(found.layers).toContainEqual({
      provider: "local",
      layer: `base/${base}`,
      bytes: expect.any(Number),
    });
    const layers = found.layers.map(({ provider, layer }) => ({ provider, layer }));
    expect((await sandboxes.upkeep.prune(OWNER, { sandboxes: [], layers })).layers).toEqual([]);
    const pruned = await sandboxes.upkeep.prune(OWNER, { sandboxes: [id], layers });
    expect(pruned.layers).toEqual(expect.arrayContaining([...found.layers]));
    expect(yard.kept("bases")).toEqual([]);
  });

  test("stays while something is built on it", async () => {
    yard.write(
      `base: { tar: ${directory}/small.tar }`,
      "setup: [{ run: echo begun }, { run: echo 2 }]",
    );
    const meanwhile: Promise<readonly string[]>[] = [];
    await yard.build(() => void meanwhile.push(collect()));
    expect(meanwhile.length).toBeGreaterThan(1);
    const removed = (await Promise.all(meanwhile)).flat();
    expect(removed).toEqual([]);
    expect(yard.kept("bases")).toHaveLength(1);
  });
});
