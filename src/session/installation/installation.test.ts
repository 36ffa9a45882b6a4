import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import type { ScriptedAgentOptions } from "../../../test/support/scripted-agent.ts";
import { SessionYard } from "../../../test/support/session-yard.ts";
import type { StartEvent } from "../../protocol/start-event.ts";

let yard: SessionYard;
afterEach(() => yard.close());

async function open(change: Partial<ScriptedAgentOptions>): Promise<string[]> {
  yard = await SessionYard.open(change);
  const ids: string[] = [];
  for (const name of ["first", "second"]) {
    const wanted = { agent: "tool", name, workspace: null };
    ids.push((await yard.engine.sandboxes.create("local:7", wanted)).sandbox.id);
  }
  return ids;
}

async function start(id: string): Promise<StartEvent[]> {
  const events: StartEvent[] = [];
  await yard.start(id, (event) => events.push(event));
  return events;
}

const homes = (): string[] => readdirSync(join(yard.root, "provider/homes"));
const layers = (): Promise<readonly string[]> => yard.provider.layers.list();
const textOf = (events: StartEvent[]): string =>
  events.map((event) => (event.type === "install-delta" ? event.text : "")).join("");

describe("the first start of an agent", () => {
  test("installs it in a sandbox of its own, tells what the installer says, and keeps a layer", async () => {
    const [first = ""] = await open({ installer: "echo getting; echo careful >&2; exit 5" });
    const events = await start(first);
    expect(events[0]).toMatchObject({ type: "install-start", agent: "tool" });
    expect(textOf(events)).toContain("getting\n");
    expect(textOf(events)).toContain("careful\n");
    const [layer] = await layers();
    expect(events).toContainEqual({ type: "install-end", agent: "tool", version: "1.2.3", layer });
    expect(layer).toMatch(/^tool-1\.2\.3-/);
    expect(homes()).toEqual([first]);
    expect(await yard.engine.sandboxes.get(first)).toMatchObject({ layers: [layer] });
  });

  test("installs it anew where what it was made for is another", async () => {
    const [first = "", second = ""] = await open({ installer: "true" });
    Object.assign(yard.provider.layers, { userland: async () => "image-one" });
    await start(first);
    expect(await layers()).toEqual([expect.stringMatching(/^tool-1\.2\.3-.*-image-one$/)]);
    Object.assign(yard.provider.layers, { userland: async () => "image-two" });
    const events = await start(second);
    expect(events[0]).toMatchObject({ type: "install-start" });
    expect((await layers()).length).toBe(2);
  });

  test("passes over a setting that this version does not know, and says so", async () => {
    const [first = ""] = await open({ installer: "true" });
    expect(textOf(await start(first))).toMatch(
      /configure unknown: no such setting \(passed over\)/,
    );
  });

  test("installs once for two sandboxes that start at the same time", async () => {
    const ids = await open({ installer: 'echo run; echo x >> "$HOME/runs"' });
    const [one = [], two = []] = await Promise.all(ids.map(start));
    for (const events of [one, two]) {
      expect(events.map(({ type }) => type)).toEqual(
        expect.arrayContaining(["install-start", "install-end"]),
      );
    }
    expect(yard.provider.starts).toBe(3);
  });

  test("of the next sandbox installs nothing", async () => {
    const [first = "", second = ""] = await open({ installer: "true" });
    await start(first);
    const events = await start(second);
    expect(events.filter(({ type }) => type.startsWith("install"))).toEqual([]);
    expect(yard.provider.starts).toBe(3);
  });
});

describe("an installation that fails", () => {
  test("because its installer did says with which status", async () => {
    const [first = ""] = await open({ installer: 'touch "$HOME/broken"; exit 22' });
    const failure = await start(first).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "AGENT_INSTALL_FAILED" });
    expect(String(failure)).toContain("its installer ended with status 22");
  });

  test("because the program does not run shows all that the installer wrote, and leaves nothing", async () => {
    const [first = ""] = await open({ installer: 'echo one; echo two >&2; touch "$HOME/broken"' });
    const failure = await start(first).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "AGENT_INSTALL_FAILED" });
    expect(failure).toHaveProperty("details.output", "one\n\ntwo\n");
    expect(String(failure)).toContain("the installed program does not tell its version");
    expect(await layers()).toEqual([]);
    expect(homes()).toEqual([]);
    expect(await yard.engine.sandboxes.get(first)).toMatchObject({ status: "stopped" });
  });

  test("because it takes too long ends at its deadline, and leaves nothing", async () => {
    const [first = ""] = await open({ installer: "echo begun; sleep 1000" });
    const watcher = { signal: new AbortController().signal };
    const started = yard.engine.sandboxes.start(first, { installTimeoutMs: 300 }, watcher);
    await expect(started).rejects.toMatchObject({
      code: "TIMED_OUT",
      details: { output: "begun\n" },
    });
    expect(await layers()).toEqual([]);
    expect(homes()).toEqual([]);
  });

  test("because nobody waits for it any more leaves nothing", async () => {
    const [first = ""] = await open({ installer: "echo begun; sleep 1000" });
    const controller = new AbortController();
    const onEvent = ({ type }: StartEvent): void => {
      if (type === "install-delta") controller.abort();
    };
    const watcher = { signal: controller.signal, onEvent };
    const started = yard.engine.sandboxes.start(first, {}, watcher);
    await expect(started).rejects.toMatchObject({ code: "INTERRUPTED" });
    await yard.engine.sandboxes.stop(first);
    expect(await layers()).toEqual([]);
    expect(homes()).toEqual([]);
  });

  test("for want of programs names them and how to get them", async () => {
    const [first = ""] = await open({ installer: "true", needs: ["bash", "no-such-program"] });
    const failure = await start(first).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "DEPENDENCY_MISSING" });
    expect(failure).toHaveProperty("message", expect.stringContaining("no-such-program"));
    expect(homes()).toEqual([]);
  });

  test("for want of disk space runs nothing at all", async () => {
    const [first = ""] = await open({ installer: "true", diskBytes: 1e18 });
    await expect(start(first)).rejects.toMatchObject({ code: "DISK_FULL" });
    expect(yard.provider.starts).toBe(0);
  });

  test("is tried again by the next start", async () => {
    const installer = 'mkdir "$HOME/../../tried" 2>/dev/null && touch "$HOME/broken"; true';
    const [first = ""] = await open({ installer });
    await expect(start(first)).rejects.toMatchObject({ code: "AGENT_INSTALL_FAILED" });
    await start(first);
    expect((await layers()).length).toBe(1);
  });
});
