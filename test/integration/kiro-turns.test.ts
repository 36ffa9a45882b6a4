import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { TurnEvent } from "../../src/protocol/session.ts";
import { KIRO_NEEDS } from "../support/kiro-needs.ts";
import { KiroYard } from "../support/kiro-yard.ts";

const MARK = "\u001B[38;5;141m> \u001B[0m";
const never = new AbortController().signal;

function bytesOf(events: readonly TurnEvent[], stream: "output" | "errors"): Buffer {
  return Buffer.concat(
    events.flatMap((event) =>
      event.type === "output-delta" && event.stream === stream
        ? [Buffer.from(event.bytes, "base64")]
        : [],
    ),
  );
}

describe.skipIf(!KIRO_NEEDS.met)(
  KIRO_NEEDS.title("turns of the stand-in Kiro in a sandbox"),
  () => {
    let yard: KiroYard;
    let sandbox: string;
    beforeAll(async () => {
      yard = await KiroYard.open();
      sandbox = (await yard.sandbox()).id;
    });
    afterAll(() => yard?.close());

    test("come out exactly as Kiro wrote them, with stderr apart", async () => {
      const id = await yard.chat(sandbox);
      const events = await yard.turn(id, "say: Red\\nBlue\\nYellow");
      expect(bytesOf(events, "output").toString()).toBe(`${MARK}Red\nBlue\nYellow`);
      const errors = bytesOf(events, "errors").toString();
      expect(errors.startsWith("All tools are now trusted (!).")).toBe(true);
      expect(errors).toMatch(/\n ▸ Credits: [\d.]+ • Time: \d+s\n$/);
      expect(events.at(-1)).toMatchObject({ outcome: "succeeded", answer: "Red\nBlue\nYellow" });
    });

    test("carry the conversation", async () => {
      const id = await yard.chat(sandbox);
      await yard.ask(id, "my name is Ada");
      expect(await yard.ask(id, "what is my name")).toMatchObject({ answer: "Your name is Ada." });
      const other = await yard.chat(sandbox);
      expect((await yard.ask(other, "what is my name")).answer).not.toContain("Ada");
    });

    test("use tools for real, in the workspace", async () => {
      const id = await yard.chat(sandbox);
      await yard.ask(id, "write made.txt: by the agent\nrun: cat made.txt > copied.txt; id -u");
      expect(readFileSync(join(yard.workspace, "copied.txt"), "utf8")).toContain("by the agent");
    });

    test("lose nothing of 10 MB, nor of an answer that comes byte by byte", async () => {
      const id = await yard.chat(sandbox);
      const flood = await yard.turn(id, "flood: 10485760");
      expect(flood.at(-1)).toMatchObject({ outcome: "succeeded" });
      expect(bytesOf(flood, "output").length).toBeGreaterThan(10_485_760);
      const split = await yard.turn(id, "split: ä€𝄞 \u001B[1mbold");
      expect(bytesOf(split, "output").toString()).toContain("ä€𝄞");
    });

    test.each(["--help", "-r", 'it\'s "quoted" $HOME $(id)', "ü€𝄞"])(
      "take the prompt %j as text",
      async (prompt) => {
        const { answer } = await yard.ask(await yard.chat(sandbox), prompt);
        expect(answer).toContain(`You said: ${prompt}`);
      },
    );

    test("take a prompt that is longer than an argument may be", async () => {
      const prompt = `my name is Zoe. ${"x".repeat(150 * 1024)}`;
      expect(await yard.ask(await yard.chat(sandbox), prompt)).toMatchObject({
        outcome: "succeeded",
      });
    });

    test("are not fooled by text that looks like a launcher's marker", async () => {
      expect(await yard.ask(await yard.chat(sandbox), "marker")).toMatchObject({
        outcome: "succeeded",
      });
    });

    test.each([
      "rate-limit",
      "overloaded",
      "monthly-limit",
      "expired-session",
      "model-unavailable",
    ])("that the service refuses have failed although Kiro says 0: %s", async (failure) => {
      expect(await yard.ask(await yard.chat(sandbox), `fail: ${failure}`)).toMatchObject({
        outcome: "failed",
        agentExitCode: 0,
        exitCode: 120,
      });
    });

    test("with a key that is refused have failed although Kiro says 0", async () => {
      const id = await yard.chat(sandbox, "ksk_wrong");
      const end = await yard.ask(id, "say: hi");
      expect(end).toMatchObject({ outcome: "failed", exitCode: 120, reason: expect.any(String) });
      expect(end.reason).not.toContain("ksk_wrong");
    });

    test("give the key to their own process tree and to nothing else inside", async () => {
      const id = await yard.chat(sandbox);
      const { answer } = await yard.ask(id, "run: echo ${#KIRO_API_KEY} > key-length.txt");
      expect(answer).toBe("Done.");
      expect(readFileSync(join(yard.workspace, "key-length.txt"), "utf8")).toBe("13\n");
      const elsewhere = await yard.inside(
        sandbox,
        "grep -rl 'ksk_simulate[d]' /proc/*/environ /proc/*/cmdline /home /tmp /run 2>/dev/null; echo end",
      );
      expect(elsewhere).toBe("end\n");
      const shown = JSON.stringify(await yard.engine.sandboxes.get(sandbox));
      expect(shown).not.toContain("ksk_");
    });

    test("are cancelled without losing the conversation", async () => {
      const id = await yard.chat(sandbox);
      await yard.ask(id, "my name is Eve");
      const events: TurnEvent[] = [];
      for await (const event of yard.engine.sessions.turn(
        id,
        { prompt: "say: a\nsilence: 300" },
        never,
      )) {
        events.push(event);
        if (event.type !== "output-delta" || event.stream !== "output") continue;
        await yard.engine.sessions.cancelTurn(id, event.turnId);
      }
      expect(events.at(-1)).toMatchObject({ outcome: "cancelled", exitCode: 130 });
      expect(await yard.ask(id, "what is my name")).toMatchObject({ answer: "Your name is Eve." });
    });

    test("end at their deadline, and with all that they started", async () => {
      const id = await yard.chat(sandbox);
      const prompt = "run: sleep 4242 > /dev/null 2>&1 &\nsilence: 300";
      const request = { prompt, timeoutMs: 1500 };
      const events = await Array.fromAsync(yard.engine.sessions.turn(id, request, never));
      expect(events.at(-1)).toMatchObject({ outcome: "timed-out", exitCode: 124 });
      expect(await yard.inside(sandbox, "pgrep -f 'sleep 424[2]'; echo end")).toBe("end\n");
    });

    test("leave nothing that runs behind when they succeed", async () => {
      const id = await yard.chat(sandbox);
      const { outcome } = await yard.ask(id, "run: sleep 4343 > /dev/null 2>&1 &\nsay: started");
      expect(outcome).toBe("succeeded");
      expect(await yard.inside(sandbox, "pgrep -f 'sleep 434[3]'; echo end")).toBe("end\n");
    });

    test("fail when Kiro silently began another conversation", async () => {
      const id = await yard.chat(sandbox);
      await yard.ask(id, "my name is Ida");
      const list = "kiro-cli chat --list-sessions 2>&1 | grep -o '[0-9a-f-]\\{36\\}'";
      await yard.inside(
        sandbox,
        `cd '${yard.workspace}'; for id in $(${list}); do kiro-cli chat --delete-session $id; done`,
      );
      await expect(yard.ask(id, "what is my name")).rejects.toMatchObject({
        code: "AGENT_RESUME_LOST",
      });
    });
  },
);
