import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { SessionYard } from "../../../test/support/session-yard.ts";
import { resolvedTemplate } from "../../../test/support/template.ts";
import type { StartEvent } from "../../protocol/start-event.ts";
import type { ResolvedTemplate } from "../../protocol/template.ts";

type Step = Partial<ResolvedTemplate["setup"][number]> & { run: string };

let yard: SessionYard;
beforeEach(async () => {
  yard = await SessionYard.open({ installer: "true" });
});
afterEach(() => yard.close());

const template = (...setup: Step[]): ResolvedTemplate => resolvedTemplate({ agent: "tool", setup });

async function build(
  wanted: ResolvedTemplate,
  wish: { isAnew?: boolean; signal?: AbortSignal; onEvent?: (event: StartEvent) => void } = {},
): Promise<{ layers: readonly string[]; events: StartEvent[] }> {
  const events: StartEvent[] = [];
  const layers = await yard.engine.templateLayers.build(wanted, {
    owner: "local:7",
    mirrors: null,
    signal: new AbortController().signal,
    ...wish,
    onEvent(event) {
      events.push(event);
      wish.onEvent?.(event);
    },
  });
  return { layers, events };
}

const setupLayers = async (): Promise<readonly string[]> =>
  (await yard.provider.layers.list()).filter((layer) => layer.startsWith("setup-"));
const homes = (): string[] => readdirSync(join(yard.root, "provider/homes"));
const logs = (): string[] => readdirSync(join(yard.root, "state/builds"));
const stepsOf = (events: readonly StartEvent[]): string[] =>
  events.flatMap((event) => (event.type === "build-step" ? [event.name] : []));

describe("building a template", () => {
  test("runs each step in its order, keeps a layer of each, and a log that only its owner reads", async () => {
    const wanted = template(
      { name: "one", run: "echo begun >&2; echo 1 > one" },
      { name: "two", run: "echo 2 > two" },
    );
    const { layers, events } = await build(wanted);
    expect(stepsOf(events)).toEqual(["one", "two"]);
    expect(layers).toEqual([expect.stringMatching(/^tool-/), ...layers.slice(1)]);
    expect(layers.slice(1).toSorted()).toEqual((await setupLayers()).toSorted());
    const [, first = "", second = ""] = layers;
    expect(existsSync(join(yard.root, "provider/layers", first, "one"))).toBe(true);
    expect(existsSync(join(yard.root, "provider/layers", second, "two"))).toBe(true);
    const end = events.at(-1) as StartEvent & { type: "build-end" };
    expect(end).toMatchObject({ type: "build-end", template: "golden" });
    expect(readFileSync(end.log, "utf8")).toMatch(
      /Step 1 of 2: one\nbegun\n== ended with status 0/,
    );
    expect(statSync(end.log).mode & 0o777).toBe(0o600);
    expect(homes()).toEqual([]);
  });

  test("tells who waits no more of a step's output than fits, and the log the whole of it", async () => {
    const run = "head -c 3000000 /dev/zero | tr '\\0' x; echo the end";
    const { events } = await build(template({ run }));
    const deltas = events.flatMap((event) => (event.type === "build-delta" ? [event.text] : []));
    expect(deltas.join("").length).toBeLessThan(1_100_000);
    expect(deltas.at(-1)).toBe("\n[The rest is in the log.]\n");
    const { log } = events.at(-1) as StartEvent & { type: "build-end" };
    expect(readFileSync(log, "utf8")).toContain("xthe end\n");
    expect(statSync(log).size).toBeGreaterThan(3_000_000);
  });

  test("that is built already does nothing", async () => {
    const wanted = template({ run: "true" });
    const first = await build(wanted);
    const starts = yard.provider.starts;
    const second = await build(wanted);
    expect(second).toEqual({ layers: first.layers, events: [] });
    expect(yard.provider.starts).toBe(starts);
  });

  test("whose last step changed runs only that one", async () => {
    await build(template({ run: "true" }, { run: "echo 2" }, { run: "echo 3" }));
    const { events } = await build(
      template({ run: "true" }, { run: "echo 2" }, { name: "third", run: "echo other" }),
    );
    expect(stepsOf(events)).toEqual(["third"]);
    expect(events[0]).toMatchObject({ type: "build-start", steps: 3, cached: 2 });
  });

  test.each<[string, Step, Step]>([
    ["its text", { run: "true" }, { run: "true " }],
    ["a variable", { run: "true" }, { run: "true", environment: { A: "1" } }],
    ["an input", { run: "true" }, { run: "true", inputs: { a: "sha256:1" } }],
    [
      "a parameter that it names",
      { run: "echo $PARAM_X", environment: { PARAM_X: "1" } },
      { run: "echo $PARAM_X", environment: { PARAM_X: "2" } },
    ],
  ])("makes another layer of a step for %s", async (_, one, other) => {
    await build(template(one));
    expect((await build(template(other))).events).not.toEqual([]);
    expect((await setupLayers()).length).toBe(2);
  });

  test("does not let a parameter count that a step does not name, nor see it", async () => {
    const run = 'echo "[${PARAM_USED}]" > used; env | grep PARAM_ > all';
    const step = (other: string): Step => ({
      run,
      environment: { PARAM_USED: "$(touch hacked)", PARAM_OTHER: other },
    });
    const { layers } = await build(template(step("1")));
    expect((await build(template(step("2")))).events).toEqual([]);
    const file = (name: string): string =>
      readFileSync(join(yard.root, "provider/layers", layers[1] ?? "", name), "utf8");
    expect(file("used")).toBe("[$(touch hacked)]\n");
    expect(file("all")).toBe("PARAM_USED=$(touch hacked)\n");
  });

  test("makes another layer under another policy", async () => {
    const step = [{ ...STEP, run: "true" }];
    await build(resolvedTemplate({ agent: "tool", setup: step }));
    const open = { preset: "open", allow: [], deny: [], ceilings: [] };
    await build(resolvedTemplate({ agent: "tool", setup: step, policy: open }));
    expect((await setupLayers()).length).toBe(2);
  });

  test("anew runs every step, leaves the old layers, and is what counts from then on", async () => {
    const wanted = template({ run: "true" }, { run: "echo 2" });
    const first = await build(wanted);
    const second = await build(wanted, { isAnew: true });
    expect(stepsOf(second.events).length).toBe(2);
    expect((await setupLayers()).length).toBe(4);
    expect(second.layers.slice(1)).not.toEqual(first.layers.slice(1));
    expect((await build(wanted)).layers).toEqual(second.layers);
  });

  test("twice at the same time is one build", async () => {
    const wanted = template({ name: "slow", run: "sleep 0.2" });
    const [one, two] = await Promise.all([build(wanted), build(wanted)]);
    expect(one.layers).toEqual(two.layers);
    expect(stepsOf(one.events)).toEqual(["slow"]);
    expect(stepsOf(two.events)).toEqual(["slow"]);
    expect(logs().length).toBe(1);
  });

  test("of many steps lets later ones share layers", async () => {
    const steps = Array.from({ length: 33 }, (_, index) => ({ run: `echo ${index} > f${index}` }));
    const { layers, events } = await build(template(...steps));
    expect(stepsOf(events).length).toBe(33);
    expect(layers.length - 1).toBe(11);
  });
});

const STEP = {
  name: "step",
  root: false,
  environment: {},
  inputs: {},
  timeoutMs: 60_000,
};

describe("a build that fails", () => {
  test("at a step keeps the steps before it, nothing of its own, and says where the log is", async () => {
    const wanted = template(
      { run: "echo fine > fine" },
      { name: "half", run: "echo half > half; false; echo never" },
      { run: "true" },
    );
    const failure = await build(wanted).catch((error: unknown) => error);
    expect(failure).toMatchObject({
      code: "TEMPLATE_BUILD_FAILED",
      message: 'Step "half" ended with status 1.',
    });
    expect((await setupLayers()).length).toBe(1);
    expect(homes()).toEqual([]);
    const [log = ""] = logs();
    const path = join(yard.root, "state/builds", log);
    expect(failure).toMatchObject({ hint: expect.stringContaining(path) });
    expect(readFileSync(path, "utf8")).toContain("TEMPLATE_BUILD_FAILED: Step");
    expect(await setupLayers()).toHaveLength(1);
  });

  test("for a step that takes too long says so", async () => {
    const failing = build(template({ name: "long", run: "sleep 1000", timeoutMs: 200 }));
    await expect(failing).rejects.toMatchObject({
      code: "TIMED_OUT",
      message: expect.stringContaining('"long"'),
    });
    expect(await setupLayers()).toEqual([]);
    expect(homes()).toEqual([]);
  });

  test("because nobody waits any more leaves nothing", async () => {
    const controller = new AbortController();
    const onEvent = ({ type }: StartEvent): void => {
      if (type === "build-delta") controller.abort();
    };
    const failing = build(template({ run: "echo begun; sleep 1000" }), {
      signal: controller.signal,
      onEvent,
    });
    await expect(failing).rejects.toMatchObject({ code: "INTERRUPTED" });
    expect(await setupLayers()).toEqual([]);
    expect(homes()).toEqual([]);
  });

  test("for a package that the base host does not have names it and what to do", async () => {
    const packages = { apt: ["coreutils", "no-such-package"], npm: [], pip: [] };
    const failing = build(resolvedTemplate({ agent: "tool", packages }));
    await expect(failing).rejects.toMatchObject({
      code: "PACKAGES_MISSING",
      hint: expect.stringContaining("sudo apt-get install no-such-package"),
      details: { missing: ["no-such-package"] },
    });
  });

  test.each([
    ["ssh", "git@example.com:a/b.git"],
    ["a password", "https://me:hunter2@example.com/b.git"],
    ["a file", "file:///etc"],
  ])("for a repository that is reached by %s tells no secret", async (_, url) => {
    const repositories = [{ url, path: "work" }];
    const failure = await build(resolvedTemplate({ agent: "tool", repositories })).catch(String);
    expect(failure).toMatch(/repository/);
    expect(failure).not.toContain("hunter2");
  });
});

/** What a sandbox that starts stands on. */
function layersFor(
  wanted: ResolvedTemplate,
  change: { present?: readonly string[]; pins?: DisposableStack } = {},
): Promise<readonly string[]> {
  return yard.engine.templateLayers.layersFor("tool", {
    owner: "local:7",
    provider: yard.provider,
    mirrors: null,
    template: wanted,
    signal: new AbortController().signal,
    onEvent: () => undefined,
    ...change,
  });
}

describe("a sandbox made from a template", () => {
  test("stands on its layers, and still does when the template is built anew", async () => {
    const wanted = template({ run: "echo 1 > one" });
    const present = await layersFor(wanted);
    const anew = await build(wanted, { isAnew: true });
    expect(await layersFor(wanted, { present })).toEqual(present);
    expect(await layersFor(wanted)).toEqual(anew.layers);
  });

  test("gets today's layers when one that it stood on is gone", async () => {
    const wanted = template({ run: "echo 1 > one" });
    const present = await layersFor(wanted);
    await yard.provider.layers.remove(present.at(-1) ?? "");
    expect(await layersFor(wanted, { present })).toEqual(present);
    expect(await setupLayers()).toEqual(present.slice(1));
  });
});

describe("collecting layers", () => {
  test("removes those that no sandbox began on lately, and tells of which template they were", async () => {
    await build(template({ run: "echo gone" }));
    expect(await yard.engine.templateLayers.collect(Date.now() - 60_000)).toEqual([]);
    const removed = await yard.engine.templateLayers.collect(Date.now() + 60_000);
    expect(removed.map(({ template: name }) => name)).toEqual(["golden"]);
    expect(await setupLayers()).toEqual([]);
  });

  test("leaves one that a start has just chosen", async () => {
    const wanted = template({ run: "echo 1" });
    const pins = new DisposableStack();
    const layers = await layersFor(wanted, { pins });
    expect(await yard.engine.templateLayers.collect(Date.now() + 60_000)).toEqual([]);
    expect(await setupLayers()).toEqual(layers.slice(1));
    const asked = layers.map((layer) => ({ provider: yard.provider.id, layer }));
    const prune = async (): Promise<readonly string[]> => {
      const wanted = { sandboxes: [], layers: asked };
      const pruned = await yard.engine.sandboxes.upkeep.prune("local:7", wanted);
      return pruned.layers.map(({ layer }) => layer);
    };
    expect(await prune()).toEqual([]);
    expect(await yard.provider.layers.list()).toEqual(expect.arrayContaining([...layers]));
    pins.dispose();
    expect(await yard.engine.templateLayers.collect(Date.now() + 60_000)).toHaveLength(1);
    // The agent's own is no template's: only pruning takes it.
    expect(await prune()).toEqual(layers.slice(0, 1));
    expect(await yard.provider.layers.list()).toEqual([]);
  });
});
