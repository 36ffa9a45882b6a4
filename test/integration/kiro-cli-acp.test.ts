import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CommandLineYard } from "../support/command-line-yard.ts";
import { edit, spoken } from "../support/editor.ts";
import { KIRO_NEEDS } from "../support/kiro-needs.ts";

/** Process ids of what serves an editor inside. */
const RUNNING = "pgrep -f 'kiro-cli[ ].*acp'; echo end";

const WAIT = { timeout: 15_000 };

describe.skipIf(!KIRO_NEEDS.met)(KIRO_NEEDS.title("an editor with Kiro"), () => {
  let yard: CommandLineYard;
  beforeAll(async () => {
    yard = await CommandLineYard.open();
    await yard.signIn("editor");
  });
  afterAll(() => yard?.close());

  const start = () => yard.start(["acp", "--name", "editor", "kiro"]);

  test("sees its work stream in, done inside by the files and commands of the sandbox only", async () => {
    const running = start();
    const record = await edit(running.child, async (editor) => {
      const { agentInfo, authMethods } = await editor.greet();
      expect([agentInfo?.name, authMethods]).toEqual(["Kiro CLI Agent", []]);
      const outside = editor.open("/etc");
      await expect(outside).rejects.toThrow("is in this sandbox");
      const sessionId = await editor.open(yard.workspace);
      const stopReason = await editor.ask(
        sessionId,
        "write made.txt: by Kiro\nrun: id -un > who.txt; cat who.txt\nsay: all is done",
      );
      expect(stopReason).toBe("end_turn");
    });
    expect((await running.finished).exitCode).toBe(0);
    expect(readFileSync(join(yard.workspace, "made.txt"), "utf8")).toBe("by Kiro");
    expect(readFileSync(join(yard.workspace, "who.txt"), "utf8")).toBe("agent\n");
    const kinds = record.updates.map(({ sessionUpdate }) => sessionUpdate);
    expect(kinds.slice(0, 4)).toEqual([
      "tool_call",
      "tool_call_update",
      "tool_call",
      "tool_call_update",
    ]);
    // The answer comes in pieces.
    expect(kinds.slice(4).every((kind) => kind === "agent_message_chunk")).toBe(true);
    expect(kinds.length).toBeGreaterThan(5);
    expect(spoken(record)).toBe("all is done");
    // Every tool is trusted.
    expect(record.permissions).toEqual([]);
  });

  test("never hears an agent that goes for its files or terminals", async () => {
    const record = await edit(start().child, async (editor) => {
      await editor.greet();
      const sessionId = await editor.open(yard.workspace);
      const about = JSON.stringify({ sessionId, path: "/etc/passwd", content: "", command: "id" });
      const services = ["fs/read_text_file", "fs/write_text_file", "terminal/create"];
      const script = services.map((service) => `editor ${service}: ${about}`).join("\n");
      expect(await editor.ask(sessionId, `${script}\nsay: tried`)).toBe("end_turn");
    });
    expect(record.asked).toEqual([]);
    const answers = record.updates.filter((update) => update.sessionUpdate === "tool_call_update");
    expect(answers).toHaveLength(3);
    for (const { status, rawOutput } of answers) {
      expect([status, rawOutput]).toEqual(["failed", expect.stringContaining("of its sandbox")]);
    }
    expect(spoken(record)).toBe("tried");
  });

  test("cancels a turn while a command runs, and again while the model is silent", async () => {
    const reached = Promise.withResolvers<void>();
    const requests = (): number =>
      yard.cloud.requests.filter((line) => line.includes("generateAssistant")).length;
    const record = await edit(
      start().child,
      async (editor) => {
        await editor.greet();
        const sessionId = await editor.open(yard.workspace);
        const command = "run: touch begun.txt; sleep 300; touch ended.txt";
        const turn = editor.ask(sessionId, command);
        await reached.promise;
        await expect.poll(() => existsSync(join(yard.workspace, "begun.txt")), WAIT).toBe(true);
        await editor.cancel(sessionId);
        expect(await turn).toBe("cancelled");
        const before = requests();
        const quiet = editor.ask(sessionId, "silence: 300");
        await expect.poll(requests, WAIT).toBe(before + 1);
        await editor.cancel(sessionId);
        expect(await quiet).toBe("cancelled");
        await editor.ask(sessionId, "say: still here");
        expect(await yard.inside("editor", RUNNING)).toMatch(/^\d+\n/);
      },
      { onUpdate: ({ sessionUpdate }) => sessionUpdate === "tool_call" && reached.resolve() },
    );
    expect(spoken(record)).toBe("still here");
    expect(existsSync(join(yard.workspace, "ended.txt"))).toBe(false);
    // The session has ended with the editor, and nothing of it runs on inside.
    expect(await yard.inside("editor", RUNNING)).toBe("end\n");
  });

  test("goes on with an earlier session, and is told when there is none", async () => {
    let id = "";
    await edit(start().child, async (editor) => {
      await editor.greet();
      id = await editor.open(yard.workspace);
      await editor.ask(id, "my name is Ada");
    });
    const record = await edit(start().child, async (editor) => {
      await editor.greet();
      await editor.load(yard.workspace, id);
      await editor.ask(id, "what is my name");
      const unknown = editor.load(yard.workspace, "absent");
      await expect(unknown).rejects.toThrow("Session not found: absent");
    });
    expect(spoken(record)).toContain("Your name is Ada.");
  });

  test("is told on stderr who has to sign in, with 121 and not a byte of protocol", async () => {
    const words = ["acp", "--name", "stranger", "--profile", "stranger", "kiro"];
    const { exitCode, stdout, stderr } = await yard.run(words);
    expect([exitCode, stdout.toString()]).toEqual([121, ""]);
    expect(stderr.toString()).toContain("AGENT_NOT_SIGNED_IN");
  });
});
