import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { edit, spoken } from "../test/support/editor.ts";
import { createRig } from "./rig.ts";
import type { Rig } from "./rig.ts";

const TRUSTING = ["acp", "--agent-engine", "v2", "--trust-all-tools"];
const line = (id: number, method: string, params: object = {}): string =>
  `${JSON.stringify({ jsonrpc: "2.0", id, method, params })}\n`;

describe("an editor that speaks with the stand-in", () => {
  let rig: Rig;
  beforeAll(async () => {
    rig = await createRig();
    await rig.signIn();
  });
  afterAll(() => rig[Symbol.asyncDispose]());

  test("has its session's directory used, is asked when nothing is trusted, and is obeyed", async () => {
    const cwd = join(rig.workspace, "below");
    mkdirSync(cwd);
    const prompt = "write a.txt: a\nrun: pwd";
    for (const [permission, isThere] of [
      ["reject_once", false],
      ["allow_once", true],
    ] as const) {
      const record = await edit(
        rig.start(["acp"]).child,
        async (editor) => {
          await editor.greet();
          const sessionId = await editor.open(cwd);
          await editor.ask(sessionId, prompt);
        },
        { permission },
      );
      expect(record.permissions).toEqual(["fs_write", "pwd"]);
      expect(existsSync(join(cwd, "a.txt"))).toBe(isThere);
      expect(JSON.stringify(record.updates).includes(cwd)).toBe(isThere);
    }
  });

  test("has a tool cancelled with its turn, and goes on", async () => {
    const stop = (): void => cancelled.resolve();
    const cancelled = Promise.withResolvers<void>();
    const record = await edit(
      rig.start(TRUSTING).child,
      async (editor) => {
        await editor.greet();
        const sessionId = await editor.open(rig.workspace);
        const turn = editor.ask(sessionId, "run: echo on; sleep 30; echo off\nsay: never");
        await cancelled.promise;
        await editor.cancel(sessionId);
        expect(await turn).toBe("cancelled");
        const next = await editor.ask(sessionId, "say: on");
        expect(next).toBe("end_turn");
      },
      { onUpdate: (update) => update.sessionUpdate === "tool_call" && stop() },
    );
    expect(spoken(record)).toBe("on");
  });

  test("resumes a session by its id, hears what was said, and is told of an unknown one", async () => {
    let id = "";
    await edit(rig.start(TRUSTING).child, async (editor) => {
      await editor.greet();
      const sessionId = await editor.open(rig.workspace);
      id = sessionId;
      await editor.ask(sessionId, "my name is Ada");
    });
    const record = await edit(rig.start(TRUSTING).child, async (editor) => {
      await editor.greet();
      await editor.load(rig.workspace, id);
      await editor.ask(id, "what is my name");
      await expect(editor.load(rig.workspace, "absent")).rejects.toMatchObject({
        code: -32603,
        message: "Failed to start session: Session not found: absent",
      });
    });
    expect(record.updates[0]).toMatchObject({
      sessionUpdate: "user_message_chunk",
      content: { text: "my name is Ada" },
    });
    expect(spoken(record)).toMatch(/Nice to meet you, Ada[^]*Your name is Ada\.$/);
  });

  test("is asked for its files when the script says so", async () => {
    const record = await edit(rig.start(TRUSTING).child, async (editor) => {
      await editor.greet();
      const id = await editor.open(rig.workspace);
      await editor.ask(id, `editor fs/read_text_file: {"sessionId":"${id}","path":"/etc/passwd"}`);
    });
    expect(record.asked).toEqual(["read"]);
    expect(record.updates[1]).toMatchObject({ status: "failed" });
  });

  test("is told what the service refuses, as the error of its prompt", async () => {
    await edit(rig.start(TRUSTING).child, async (editor) => {
      await editor.greet();
      const sessionId = await editor.open(rig.workspace);
      const turn = editor.ask(sessionId, "fail: rate-limit");
      await expect(turn).rejects.toThrow("Kiro rate limit reached");
    });
  });

  test("chooses a model in the way of each engine", async () => {
    const { setModel, setOption } = {
      setModel: ["session/set_model", { modelId: "simulated-large" }],
      setOption: ["session/set_config_option", { configId: "model", value: "simulated-large" }],
    } as const;
    for (const [engine, right, wrong] of [
      ["v2", setModel, setOption],
      ["v3", setOption, setModel],
    ] as const) {
      const record = await edit(
        rig.start(["acp", "--agent-engine", engine]).child,
        async (editor) => {
          await editor.greet();
          const sessionId = await editor.open(rig.workspace);
          await expect(editor.request(wrong[0], { sessionId, ...wrong[1] })).rejects.toThrow(
            "Method not found",
          );
          await editor.request(right[0], { sessionId, ...right[1] });
          await editor.ask(sessionId, "which model are you");
        },
      );
      expect(spoken(record)).toBe("I am simulated-large.");
    }
  });

  test("ends it silently when it loads without a directory, and V3 takes no choice beforehand", async () => {
    const input = line(1, "session/load", { sessionId: "x" });
    expect(await rig.run(TRUSTING, { input })).toMatchObject({ exitCode: 0, stdout: "" });
    const v3 = await rig.run(["acp", "--agent-engine", "v3", "--trust-all-tools"]);
    expect(v3).toMatchObject({ exitCode: 2, stdout: "" });
  });

  test("must say who it is", async () => {
    const { stdout } = await rig.run(TRUSTING, { input: line(1, "initialize") });
    expect(JSON.parse(stdout)).toMatchObject({ id: 1, error: { code: -32602 } });
  });
});

test("signed out, it ends as a chat does; from 2.37 on an editor is offered the login", async () => {
  await using rig = await createRig();
  const old = await rig.run(TRUSTING, { environment: { FAKE_KIRO_NO_CREDENTIALS: "refuse" } });
  expect(old).toMatchObject({ exitCode: 1, stdout: "" });
  expect(old.stderr).toContain("You are not logged in");
  const environment = { FAKE_KIRO_VERSION: "2.37.0" };
  await edit(rig.start(TRUSTING, { environment }).child, async (editor) => {
    const { authMethods } = await editor.greet();
    expect(authMethods).toMatchObject([{ type: "terminal", args: ["login"] }]);
    await expect(editor.open(rig.workspace)).rejects.toMatchObject({ code: -32000 });
    await rig.signIn();
    const sessionId = await editor.open(rig.workspace);
    await editor.ask(sessionId, "write in.txt: in");
  });
  expect(readFileSync(join(rig.workspace, "in.txt"), "utf8")).toBe("in");
});
