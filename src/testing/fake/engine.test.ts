import {
  existsSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Cattlegrid } from "../../client/client.ts";
import { runProcess } from "../../client/process-run.ts";
import { PROVIDERS } from "../../daemon/plugins.ts";
import { createFakeEngine, type FakeEngineOptions } from "./engine.ts";
import { createScriptedAgent } from "./scripted-agent.ts";

let project: string;
let grid: Cattlegrid | undefined;
beforeEach(() => {
  project = realpathSync(mkdtempSync(join(tmpdir(), "cg-fake-project-")));
});
afterEach(async () => {
  await grid?.close();
  rmSync(project, { recursive: true, force: true });
});

async function open(options: FakeEngineOptions = {}): Promise<Cattlegrid> {
  grid = await createFakeEngine(options);
  return grid;
}

async function start(engine: Cattlegrid, body: object = {}): Promise<string> {
  const wanted = { agent: "scripted", workspace: project, name: "box", ...body };
  const { id } = await engine.createSandbox({ body: wanted });
  await engine.startSandbox({ id, body: {} });
  return id;
}

async function ask(engine: Cattlegrid, sessionId: string, prompt: string): Promise<object> {
  for await (const event of engine.runTurn({ id: sessionId, body: { prompt } })) {
    if (event.type === "turn-end") return event;
  }
  return {};
}

describe("an engine over the fake provider", () => {
  test("runs the turns of a scripted agent, which remembers, fails and says nothing as real ones do", async () => {
    const engine = await open({
      script(prompt, { files }) {
        if (prompt === "fail") throw new TypeError("overloaded");
        if (prompt === "silence") return "";
        const before = files.read("heard")?.toString() ?? "";
        files.write("heard", `${before}${prompt};`);
        return `${before}${prompt}`;
      },
    });
    const id = await start(engine);
    const { id: session } = await engine.createSession({ id, body: { kind: "turns" } });
    expect(await ask(engine, session, "one")).toMatchObject({
      outcome: "succeeded",
      answer: "one",
    });
    expect(await ask(engine, session, "two")).toMatchObject({ answer: "one;two" });
    expect(await ask(engine, session, "fail")).toMatchObject({
      outcome: "failed",
      reason: "scripted-agent: TypeError: overloaded",
    });
    expect(await ask(engine, session, "silence")).toMatchObject({ outcome: "unknown" });
    expect(readFileSync(join(project, "heard"), "utf8")).toBe("one;two;");
  });

  test("holds programs to the sandbox's policy, and records what it decided", async () => {
    const engine = await open({
      agents: [createScriptedAgent((prompt) => prompt, { id: "other" })],
    });
    const id = await start(engine, { allow: ["allowed.example"] });
    const look = (name: string) => runProcess(engine, id, { argv: ["getent", "hosts", name] });
    expect(await look("allowed.example")).toMatchObject({ exitCode: 0 });
    expect((await look("allowed.example")).stdout).toMatch(/^198\.1[89]\./);
    expect(await look("denied.example")).toMatchObject({ exitCode: 2, stdout: "" });
    const records = await Array.fromAsync(engine.readEgress({ id }));
    expect(records.map(({ name, action }) => `${action} ${name}`)).toContain("deny denied.example");
  });

  test("says that it is a fake to whoever looks", async () => {
    const engine = await open();
    const id = await start(engine);
    const { provider, isolation, facts } = await engine.getSandbox({ id });
    expect({ provider, isolation }).toEqual({ provider: "fake", isolation: "none" });
    expect(facts["fake"]).toMatch(/^a fake for tests/);
    const { agents } = await engine.listAgents({});
    expect(agents.map(({ title }) => title)).toEqual(["Scripted agent (a fake)"]);
    const session = await engine.createSession({
      id,
      body: { kind: "interactive", terminal: { columns: 80, rows: 24 } },
    });
    const { terminalId = "" } = await engine.getSession({ id: session.id });
    expect(terminalId).not.toBe("");
    const missing = runProcess(engine, id, { argv: ["bash", "-c", "true"] });
    await expect(missing).rejects.toMatchObject({ code: "COMMAND_NOT_FOUND" });
  });

  test("is a workspace's own only as far as the mode says", async () => {
    writeFileSync(join(project, "kept"), "kept");
    const engine = await open({
      programs: {
        touch: ({ argv, files }) => (files.write(argv[1] ?? "", "touched") ? 0 : 1),
      },
    });
    const id = await start(engine, { mode: "readonly" });
    expect(await runProcess(engine, id, { argv: ["touch", "new"] })).toMatchObject({ exitCode: 1 });
    expect((await runProcess(engine, id, { argv: ["cat", "kept"] })).stdout).toBe("kept");
    expect(existsSync(join(project, "new"))).toBe(false);
    const other = await start(engine, { name: "other" });
    expect(await runProcess(engine, other, { argv: ["touch", "new"] })).toMatchObject({
      exitCode: 0,
    });
    expect(readFileSync(join(project, "new"), "utf8")).toBe("touched");
  });

  test("nobody can ask for what it states, nor find it among the product's own", async () => {
    const engine = await open();
    const body = { agent: "scripted", workspace: null, isolation: "none" as never };
    await expect(engine.createSandbox({ body })).rejects.toMatchObject({ code: "REQUEST_INVALID" });
    expect(PROVIDERS.map(({ id }) => id)).not.toContain("fake");
    expect(PROVIDERS.flatMap(({ declared }) => declared.isolation)).not.toContain("none");
  });

  test("with a copied workspace it changes nothing of the host before its changes are applied", async () => {
    writeFileSync(join(project, "kept"), "as it was\n");
    writeFileSync(join(project, "changed"), "old\n");
    writeFileSync(join(project, ".env"), "PASSWORD=secret\n");
    const engine = await open({
      capabilities: { workspaceModes: ["overlay"], workspaceFiles: "copied" },
      script(prompt, { files }) {
        const seen = files.list(project)?.join(" ") ?? "";
        files.write("changed", `${prompt}\n`);
        files.write("deep/er/new", "made\n");
        files.remove("kept");
        return seen;
      },
    });
    const id = await start(engine);
    const { id: session } = await engine.createSession({ id, body: { kind: "turns" } });
    expect(await ask(engine, session, "new")).toMatchObject({ answer: "changed kept" });
    expect(readFileSync(join(project, "changed"), "utf8")).toBe("old\n");
    await engine.stopSandbox({ id });
    const { changes } = await engine.listChanges({ id, query: { hunks: "0" } });
    expect(changes.map(({ path, kind }) => `${kind} ${path}`)).toEqual([
      "modified changed",
      "added deep",
      "added deep/er",
      "added deep/er/new",
      "deleted kept",
    ]);
    await engine.applyChanges({ id, body: {} });
    expect(readFileSync(join(project, "changed"), "utf8")).toBe("new\n");
    expect(readFileSync(join(project, "deep/er/new"), "utf8")).toBe("made\n");
    expect(existsSync(join(project, "kept"))).toBe(false);
    expect(readFileSync(join(project, ".env"), "utf8")).toBe("PASSWORD=secret\n");
  });
});
