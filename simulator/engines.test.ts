import { existsSync } from "node:fs";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createRig } from "./rig.ts";
import type { Finished, Rig } from "./rig.ts";

const HEADLESS = ["chat", "--no-interactive", "--trust-all-tools"];
const JSON_LINES = ["--output-format", "stream-json"];

interface Line {
  type: string;
  data: Record<string, unknown> & { update?: Record<string, unknown> };
}

function linesOf({ stdout }: Finished): Line[] {
  return stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Line);
}

/** An MCP server in one file, over stdio: it repeats what it is told. */
const STDIO_SERVER = `
  require("node:readline").createInterface({ input: process.stdin }).on("line", (line) => {
    const { id, method, params } = JSON.parse(line);
    if (id === undefined) return;
    const text = method === "tools/call" ? "stdio says " + params.arguments.word : "";
    const result = method === "tools/call" ? { content: [{ type: "text", text }] } : {};
    console.log(JSON.stringify({ jsonrpc: "2.0", id, result }));
  });
`;

describe("the three engines", () => {
  let rig: Rig;
  const turn = (prompt: string, ...more: string[]): Promise<Finished> =>
    rig.run([...HEADLESS, ...more, "--", prompt]);
  const agents = (): string => join(rig.workspace, ".kiro/agents");

  beforeAll(async () => {
    rig = await createRig();
    await rig.signIn();
    await mkdir(agents(), { recursive: true });
  });
  afterAll(() => rig[Symbol.asyncDispose]());

  test.each(["v2", "v3"])("%s streams a tool with its end, and names itself", async (engine) => {
    const ran = await turn("run: echo one\nsay: done", "--agent-engine", engine, ...JSON_LINES);
    const lines = linesOf(ran);
    expect(lines[0]).toMatchObject({ type: "runStarted", data: { engine } });
    const updates = lines.flatMap(({ data }) => data.update?.["sessionUpdate"] ?? []);
    expect(updates).toEqual(["tool_call", "tool_call_update", "agent_message_chunk"]);
    expect(lines.at(-1)).toMatchObject({
      type: "runFinished",
      data: { status: "success", finalText: "done" },
    });
  });

  test("none sees a conversation of another", async () => {
    const asked = "what is my name";
    const names = [
      ["v1", "Ada"],
      ["v2", "Bea"],
      ["v3", "Cid"],
    ] as const;
    for (const [engine, name] of names) {
      await turn(`my name is ${name}`, "--agent-engine", engine);
    }
    for (const [engine, name] of names) {
      const { stdout } = await turn(asked, "--agent-engine", engine, "--resume");
      expect(stdout).toContain(`Your name is ${name}.`);
    }
  });

  test("an id from the stream resumes its conversation, whatever came after", async () => {
    const first = linesOf(await turn("my name is Ada", "--v2", ...JSON_LINES));
    await turn("my name is Bea", "--v2");
    const id = String(first[0]?.data["sessionId"]);
    const more = linesOf(await turn("what is my name", "--v2", ...JSON_LINES, "--resume-id", id));
    expect(more.at(-1)?.data).toMatchObject({ sessionId: id, finalText: "Your name is Ada." });
    expect(await turn("x", "--v2", "--resume-id", "absent")).toMatchObject({ exitCode: 1 });
  });

  test("a model is asked for; an unknown one is refused by V1 and passed over by V2", async () => {
    const model = "--model=simulated-large";
    expect((await turn("which model are you", model)).stdout).toContain("I am simulated-large.");
    expect(await turn("say: x", "--model=nope")).toMatchObject({ exitCode: 1 });
    const v2 = await turn("which model are you", "--model=nope", "--v2");
    expect([v2.exitCode, v2.stdout]).toEqual([0, "I am auto."]);
    expect(v2.stderr).toContain("[warn] failed to set model 'nope'");
  });

  test("V3 takes V2's agent files to its own form unless the setting forbids it", async () => {
    const path = join(agents(), "old.json");
    const text = JSON.stringify({ name: "old", tools: ["*"], allowedTools: ["read"] });
    await writeFile(path, text);
    await rig.run(["settings", "chat.enableAutoAgentUpgrade", "false"]);
    await turn("say: x", "--v3");
    expect([await readFile(path, "utf8"), existsSync(`${path}.bak`)]).toEqual([text, false]);
    await rig.run(["settings", "--delete", "chat.enableAutoAgentUpgrade"]);
    await turn("say: x", "--v3");
    expect(await readFile(`${path}.bak`, "utf8")).toBe(text);
    expect(await readFile(path, "utf8")).toContain("permissions");
  });

  test("V3 cannot start where its runtime cannot be unpacked; V2 can", async () => {
    const file = join(rig.home, "no-directory");
    await writeFile(file, "");
    const environment = { KIRO_RUNTIME_DIR: file };
    const words = (engine: string): string[] => [...HEADLESS, engine, "--", "say: up"];
    expect(await rig.run(words("--v3"), { environment })).toMatchObject({ exitCode: 1 });
    expect(await rig.run(words("--v2"), { environment })).toMatchObject({ exitCode: 0 });
  });
});

describe("an agent of the project", () => {
  let rig: Rig;
  beforeAll(async () => {
    rig = await createRig();
    await rig.signIn();
    await mkdir(join(rig.workspace, ".kiro/agents"), { recursive: true });
  });
  afterAll(() => rig[Symbol.asyncDispose]());

  const define = (name: string, fields: object): Promise<void> =>
    writeFile(
      join(rig.workspace, ".kiro/agents", `${name}.json`),
      JSON.stringify({ name, tools: ["*"], ...fields }),
    );
  const ask = (agent: string, prompt: string, ...more: string[]): Promise<Finished> =>
    rig.run(["chat", "--no-interactive", "--agent", agent, ...more, "--", prompt]);

  test("is trusted with what it allows and nothing more", async () => {
    await define("careful", { tools: ["*"], allowedTools: ["shell"] });
    expect((await ask("careful", "run: echo yes")).stdout).toContain("yes\n");
    expect((await ask("careful", "write no.txt: no")).stderr).toContain(
      "Command fs_write is rejected",
    );
    expect(existsSync(join(rig.workspace, "no.txt"))).toBe(false);
  });

  test("runs hooks around a turn and its tools; one may block a tool; V3 runs none", async () => {
    const log = join(rig.workspace, "hooks.log");
    const note = { command: `cat >> ${log}; echo >> ${log}` };
    await define("hooked", {
      allowedTools: ["@builtin"],
      hooks: {
        agentSpawn: [note],
        userPromptSubmit: [note],
        preToolUse: [{ command: "echo not that >&2; exit 2", matcher: "fs_write" }],
        postToolUse: [note],
        stop: [note],
      },
    });
    await ask("hooked", "run: true\nwrite no.txt: no");
    const names = (await readFile(log, "utf8"))
      .trim()
      .split("\n")
      .map((line) => (JSON.parse(line) as { hook_event_name: string }).hook_event_name);
    expect(names).toEqual(["agentSpawn", "userPromptSubmit", "postToolUse", "stop"]);
    expect(existsSync(join(rig.workspace, "no.txt"))).toBe(false);
    await ask("hooked", "say: x", "--v3");
    expect((await readFile(log, "utf8")).trim().split("\n")).toHaveLength(names.length);
  });

  test("uses MCP servers over stdio and HTTP, and three subagents at once", async () => {
    const server = createServer((request, response) => {
      request.on("data", (bytes: Buffer) => {
        const { id, method } = JSON.parse(bytes.toString()) as { id?: number; method: string };
        const content = [{ type: "text", text: "http says so" }];
        const result = method === "tools/call" ? { content } : {};
        response.end(id === undefined ? "" : JSON.stringify({ jsonrpc: "2.0", id, result }));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`;
    await writeFile(join(rig.workspace, "server.cjs"), STDIO_SERVER);
    await define("equipped", {
      allowedTools: ["@builtin", "@near", "@far"],
      mcpServers: { near: { command: "node", args: ["server.cjs"] }, far: { url } },
    });
    const prompt =
      'mcp near repeat: {"word":"hi"}\nmcp far repeat: {}\n' +
      "subagents: meet 3: a | meet 3: b | meet 3: c\nsay: all";
    const { exitCode, stdout } = await ask("equipped", prompt);
    server.close();
    expect(exitCode).toBe(0);
    for (const text of ["stdio says hi", "http says so", "Subagent 1: a", "Subagent 3: c"]) {
      expect(stdout).toContain(` ✓ ${text}\n`);
    }
  });

  test("with a server that does not start goes on with a warning, or ends with 3", async () => {
    await define("broken", { mcpServers: { gone: { command: "no-such-program" } } });
    const went = await ask("broken", "say: on");
    expect([went.exitCode, went.stdout]).toEqual([0, expect.stringContaining("on")]);
    expect(went.stderr).toContain("MCP server gone failed to start");
    expect(await ask("broken", "say: on", "--require-mcp-startup")).toMatchObject({ exitCode: 3 });
  });
});

describe("stalls", () => {
  test("a telemetry host that stays silent is waited for at the end; a refused one is not", async () => {
    await using rig = await createRig({ telemetry: "silent" });
    await rig.run(["settings", "telemetry.enabled", "false"]);
    await rig.signIn();
    await rig.run(["settings", "telemetry.enabled", "true"]);
    const words = ["chat", "--no-interactive", "say: x"];
    const started = performance.now();
    await rig.run(words, { environment: { FAKE_KIRO_TELEMETRY_MS: "1500" } });
    // The wait itself is what is shown here: a slow machine only makes it longer.
    expect(performance.now() - started).toBeGreaterThan(1500);
    const waits = rig.cloud.requests.filter((line) => line.startsWith("telemetry."));
    expect(waits.length).toBeGreaterThan(0);
  });

  test("an untrusted tool can hang for ever, and a start can take its time", async () => {
    await using rig = await createRig();
    await rig.signIn();
    const running = rig.start(["chat", "--no-interactive", "run: true"], {
      environment: { FAKE_KIRO_UNTRUSTED: "hang", FAKE_KIRO_START_MS: "200" },
    });
    running.child.stdin?.end();
    await expect
      .poll(() => rig.cloud.requests.filter((line) => line.includes("generateAssistant")), {
        timeout: 15_000,
      })
      .toHaveLength(1);
    running.child.kill("SIGTERM");
    expect(await running.finished).toMatchObject({ signal: "SIGTERM" });
  });
});

test("a home whose programs may not run stops V3 only", async () => {
  await using rig = await createRig();
  await rig.signIn();
  await rig.run([...HEADLESS, "--v3", "--", "say: x"]);
  const server = join(rig.home, ".local/share/kiro-cli/kas/2.21.2-simulated/server");
  await chmod(server, 0o600);
  const v3 = await rig.run([...HEADLESS, "--v3", "--", "say: x"]);
  expect([v3.exitCode, v3.stderr]).toEqual([1, expect.stringContaining("EACCES")]);
  expect(await rig.run([...HEADLESS, "--v2", "--", "say: x"])).toMatchObject({ exitCode: 0 });
});
