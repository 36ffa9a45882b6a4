import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { SessionYard } from "../../test/support/session-yard.ts";
import type { SessionEvent, TurnEvent } from "../protocol/session.ts";

const never = new AbortController().signal;
const CANARY = "canary-7f3a90c2";

let yard: SessionYard;
beforeEach(async () => void (yard = await SessionYard.open()));
afterEach(() => yard.close());

type Delta = TurnEvent & { type: "output-delta" };

function bytesOf(events: readonly TurnEvent[], stream: Delta["stream"]): Buffer {
  const deltas = events.filter((event): event is Delta => event.type === "output-delta");
  const chosen = deltas.filter((delta) => delta.stream === stream);
  return Buffer.concat(chosen.map(({ bytes }) => Buffer.from(bytes, "base64")));
}

/** Begins a turn and resolves once it has written something, with what follows still to be read. */
async function begin(
  session: string,
  prompt: string,
  options: { signal?: AbortSignal; timeoutMs?: number } = {},
): Promise<{ turnId: string; rest(): Promise<TurnEvent[]> }> {
  const { signal, ...request } = options;
  const iterator = yard.turn(session, { prompt, ...request }, signal)[Symbol.asyncIterator]();
  const start = (await iterator.next()).value as TurnEvent & { type: "turn-start" };
  await iterator.next();
  const rest = (): Promise<TurnEvent[]> =>
    Array.fromAsync({ [Symbol.asyncIterator]: () => iterator });
  return { turnId: start.turnId, rest };
}

describe("a session of turns", () => {
  test("is ready once somebody is signed in, and says what it has to say of the version", async () => {
    await yard.close();
    yard = await SessionYard.open({ installer: "true" });
    const id = await yard.chat();
    await yard.until(id, "session-ready");
    expect(await yard.until(id, "notice")).toEqual({ type: "notice", text: "This is 1.2.3." });
    await yard.engine.sessions.end(id);
    expect(await yard.ending(id)).toEqual({ type: "session-end", exitCode: 0 });
  });

  test("of an agent that takes no prompts is refused", async () => {
    const sandbox = await yard.sandbox({ agent: "shell" });
    await expect(yard.session(sandbox, { kind: "turns" })).rejects.toMatchObject({
      code: "AGENT_COMMAND_INVALID",
    });
  });

  test("where nobody is signed in refuses turns for that reason", async () => {
    const sandbox = await yard.sandbox({ signedIn: false });
    const id = await yard.session(sandbox, { kind: "turns" });
    await expect(yard.ask(id, "echo")).rejects.toMatchObject({ code: "AGENT_NOT_SIGNED_IN" });
    expect(await yard.ending(id)).toMatchObject({ exitCode: 121 });
  });

  test("that has ended takes no more", async () => {
    const id = await yard.chat();
    await yard.until(id, "session-ready");
    await yard.engine.sessions.end(id);
    await expect(yard.ask(id, "echo")).rejects.toMatchObject({ code: "SESSION_ENDED" });
  });
});

describe("a turn", () => {
  test("tells every byte of both streams, then how it ended", async () => {
    const id = await yard.chat();
    const prompt = "printf 'a\\xff\\n\\033[1mb\\r'; printf 'problem' >&2";
    const events = await Array.fromAsync(yard.turn(id, { prompt }));
    expect(events[0]).toMatchObject({ type: "turn-start", number: 1, resumed: false });
    expect(bytesOf(events, "output")).toEqual(Buffer.from("a\xff\n\x1b[1mb\r", "latin1"));
    expect(bytesOf(events, "errors").toString()).toBe("problem");
    expect(events.at(-1)).toMatchObject({
      type: "turn-end",
      outcome: "succeeded",
      reason: null,
      agentExitCode: 0,
      exitCode: 0,
    });
  });

  test("of megabytes loses nothing, however slowly they are read", async () => {
    const id = await yard.chat();
    const prompt = "head -c 5000000 /dev/zero | tr '\\0' x; printf end";
    const events: TurnEvent[] = [];
    for await (const event of yard.turn(id, { prompt })) {
      events.push(event);
      await new Promise((resolve) => void setImmediate(resolve));
    }
    const bytes = bytesOf(events, "output");
    expect(bytes.length).toBe(5_000_003);
    expect(bytes.subarray(-4).toString()).toBe("xend");
  });

  test.each([
    ["exit 3", "failed", 3, 3],
    ["true", "unknown", 0, 120],
    ["echo yes", "succeeded", 0, 0],
    ["kill -TERM $$", "failed", null, 143],
  ])("of %j is %s: agent %s, status %i", async (...[prompt, outcome, agentExitCode, exitCode]) => {
    const end = await yard.ask(await yard.chat(), prompt);
    expect(end).toMatchObject({ outcome, agentExitCode, exitCode });
  });

  test("takes a prompt as data: quotes, newlines, hyphens and 200 KB of it", async () => {
    const id = await yard.chat();
    expect((await yard.ask(id, '--version; echo "it\'s"\necho two')).answer).toContain("it's\ntwo");
    const long = `: ${"x".repeat(200_000)}\necho long`;
    expect((await yard.ask(id, long)).answer).toBe("long");
  });

  test("reads the end of its input instead of waiting for somebody to type", async () => {
    expect((await yard.ask(await yard.chat(), "cat; echo done")).answer).toBe("done");
  });

  test("leaves nothing behind, not even what it started in the background", async () => {
    const id = await yard.chat();
    const { answer } = await yard.ask(id, "sleep 1000 > /dev/null 2>&1 & echo $!");
    const isGone = (): boolean => {
      const stat = `/proc/${answer}/stat`;
      try {
        return readFileSync(stat, "utf8").includes(") Z ");
      } catch (error) {
        return (error as NodeJS.ErrnoException).code === "ENOENT";
      }
    };
    await vi.waitUntil(isGone);
  });

  test("gets the caller's key, which nothing else sees", async () => {
    const sandbox = await yard.sandbox({ signedIn: false });
    const secrets = { TOOL_KEY: CANARY };
    const id = await yard.session(sandbox, { kind: "turns", secrets });
    const prompt = 'echo "key ${#TOOL_KEY}"; echo "bad key $TOOL_KEY" >&2; exit 1';
    const end = await yard.ask(id, prompt);
    expect(end).toMatchObject({ answer: "key 15", reason: "bad key <TOOL_KEY>" });
    await yard.engine.sessions.end(id);
    expect(JSON.stringify(await yard.events(id))).not.toContain(CANARY);
    expect(yard.records()).not.toContain(CANARY);
  });
});

describe("prompts that are refused before anything runs:", () => {
  test.each([
    ["half of a surrogate pair", "a\uD800", "PROMPT_INVALID"],
    ["a NUL", "a\0b", "PROMPT_INVALID"],
    ["nothing but space", " \n ", "PROMPT_EMPTY"],
    ["one of the agent's own commands", "/quit", "PROMPT_IS_COMMAND"],
  ])("%s", async (_title, prompt, code) => {
    const id = await yard.chat();
    await expect(yard.ask(id, prompt)).rejects.toMatchObject({ code });
    expect(await yard.engine.sessions.get(id)).toMatchObject({ turns: 0 });
  });

  test("but a command that is sent on purpose goes through", async () => {
    const id = await yard.chat();
    const events = await Array.fromAsync(yard.turn(id, { prompt: "/bin/echo x", slash: true }));
    expect(events.at(-1)).toMatchObject({ answer: "x" });
  });

  test("a second prompt while a turn runs", async () => {
    const id = await yard.chat();
    const { turnId, rest } = await begin(id, "echo; sleep 1000");
    await expect(yard.ask(id, "echo")).rejects.toMatchObject({ code: "TURN_IN_PROGRESS" });
    await yard.engine.sessions.cancelTurn(id, turnId);
    await rest();
    expect((await yard.ask(id, "echo again")).answer).toBe("again");
  });
});

describe("a turn that is stopped", () => {
  test("by cancelling is interrupted and ends with 130", async () => {
    const id = await yard.chat();
    const { turnId, rest } = await begin(
      id,
      "trap 'echo put away; exit 1' INT; echo; sleep 1000 & wait",
    );
    await yard.engine.sessions.cancelTurn(id, turnId);
    await yard.engine.sessions.cancelTurn(id, turnId);
    const events = await rest();
    expect(bytesOf(events, "output").toString()).toBe("put away\n");
    expect(events.at(-1)).toMatchObject({ outcome: "cancelled", exitCode: 130, agentExitCode: 1 });
  });

  test("keeps the conversation", async () => {
    const id = await yard.chat();
    await yard.ask(id, "echo one");
    const { turnId, rest } = await begin(id, "echo; sleep 1000");
    await yard.engine.sessions.cancelTurn(id, turnId);
    await rest();
    expect(await yard.ask(id, "echo three")).toMatchObject({ outcome: "succeeded", resumed: true });
  });

  test("by its deadline ends with 124", async () => {
    const id = await yard.chat();
    const { rest } = await begin(id, "echo; sleep 1000", { timeoutMs: 300 });
    expect((await rest()).at(-1)).toMatchObject({ outcome: "timed-out", exitCode: 124 });
  });

  test("because its reader went away leaves room for the next", async () => {
    const id = await yard.chat();
    const reader = new AbortController();
    const { rest } = await begin(id, "echo; sleep 1000", { signal: reader.signal });
    reader.abort();
    await rest();
    expect((await yard.ask(id, "echo next")).answer).toBe("next");
  });

  test("with its session ends as cancelled", async () => {
    const id = await yard.chat();
    const { rest } = await begin(id, "echo; sleep 1000");
    const reading = rest();
    await yard.engine.sessions.end(id);
    expect((await reading).at(-1)).toMatchObject({ outcome: "cancelled" });
  });

  test("by the death of its sandbox fails, and the session is lost", async () => {
    const sandbox = await yard.sandbox();
    const id = await yard.session(sandbox, { kind: "turns" });
    const { rest } = await begin(id, "echo; sleep 1000");
    const reading = rest();
    yard.provider.kill(sandbox);
    await Promise.allSettled([reading]);
    expect(await yard.ending(id)).toMatchObject({ problem: { code: "SANDBOX_LOST" } });
  });
});

describe("a conversation of an earlier session", () => {
  test("is gone on with when it is still there, and the session says so", async () => {
    const sandbox = await yard.sandbox();
    const first = await yard.session(sandbox, { kind: "turns" });
    await yard.ask(first, "echo one");
    await yard.engine.sessions.end(first);
    const second = await yard.session(sandbox, { kind: "turns", continues: "latest" });
    expect(await yard.until(second, "session-ready")).toMatchObject({ continued: true });
    expect(await yard.ask(second, "echo $resumed")).toMatchObject({ answer: "yes", resumed: true });
  });

  test("that is gone is begun anew, and the session says why", async () => {
    const sandbox = await yard.sandbox();
    const first = await yard.session(sandbox, { kind: "turns" });
    await yard.ask(first, "echo one");
    writeFileSync(join(yard.home(sandbox), "conversation"), "another\n");
    const second = await yard.session(sandbox, { kind: "turns", continues: "latest" });
    const events: SessionEvent[] = [];
    for await (const event of yard.engine.sessions.events(second, never)) {
      events.push(event);
      if (event.type === "session-ready") break;
    }
    expect(events.at(-1)).toMatchObject({ continued: false });
    expect(JSON.stringify(events)).toContain("begins anew");
    expect(await yard.ask(second, "echo $resumed")).toMatchObject({ answer: "no" });
  });

  test("is not looked for by a session that does not ask", async () => {
    const sandbox = await yard.sandbox();
    await yard.ask(await yard.session(sandbox, { kind: "turns" }), "echo one");
    const other = await yard.session(sandbox, { kind: "turns" });
    expect(await yard.ask(other, "echo $resumed")).toMatchObject({ answer: "no", resumed: false });
  });
});

test("options that an agent does not have are refused before anything is made", async () => {
  const sandbox = await yard.sandbox();
  for (const request of [
    { turnOptions: { engine: "v2" } },
    { identityDirectory: { startUrl: "https://x.example", region: "r" } },
  ]) {
    await expect(yard.session(sandbox, { kind: "turns", ...request })).rejects.toMatchObject({
      code: "AGENT_OPTION_UNAVAILABLE",
    });
  }
  expect(await yard.engine.sessions.list(sandbox)).toEqual([]);
});

describe("the conversation", () => {
  test("is carried from the first turn that succeeded on", async () => {
    const id = await yard.chat();
    const resumed = [];
    for (const prompt of ["exit 1", "true", "echo", "echo a", "exit 1", "echo b"]) {
      resumed.push((await yard.ask(id, prompt)).resumed);
    }
    expect(resumed).toEqual([false, false, false, false, true, true]);
    expect(await yard.engine.sessions.get(id)).toMatchObject({ turns: 6 });
  });

  test("that the agent did not go on with fails the turn and those after it", async () => {
    const sandbox = await yard.sandbox();
    const id = await yard.session(sandbox, { kind: "turns" });
    await yard.ask(id, "echo one");
    const lost = { code: "AGENT_RESUME_LOST" };
    await expect(yard.ask(id, 'echo other > "$HOME/conversation"; echo two')).rejects.toMatchObject(
      lost,
    );
    await expect(yard.ask(id, "echo three")).rejects.toMatchObject(lost);
    const next = await yard.session(sandbox, { kind: "turns" });
    expect(await yard.ask(next, "echo new")).toMatchObject({
      resumed: false,
      outcome: "succeeded",
    });
  });

  test("that cannot be shown to be there is not gone on with", async () => {
    const sandbox = await yard.sandbox();
    const id = await yard.session(sandbox, { kind: "turns" });
    await yard.ask(id, 'rm "$HOME/conversation"; echo one');
    await expect(yard.ask(id, 'echo two > "$HOME/ran"')).rejects.toMatchObject({
      code: "AGENT_RESUME_LOST",
    });
    expect(() => readFileSync(join(yard.home(sandbox), "ran"))).toThrow("ENOENT");
  });
});
