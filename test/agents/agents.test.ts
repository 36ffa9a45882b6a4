import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { TurnEvent } from "../../src/protocol/session.ts";
import { CommandLine, type CommandResult } from "../support/command-line.ts";
import { allOf, program } from "../support/requirement.ts";
import { filesHolding } from "./canary.ts";
import { REGISTRY_IN_REACH } from "./registry.ts";
import { SUBJECTS, type Subject } from "./subjects.ts";
import { openWorld, type World } from "./world.ts";

const KEY = "key-canary-93b1c07f";

let line: CommandLine;
let world: World;
beforeAll(async () => {
  line = new CommandLine();
  world = await openWorld(line.directory);
});
afterAll(async () => {
  await line.close();
  await world[Symbol.asyncDispose]();
});

function chat(subject: Subject, ...prompts: string[]): Promise<CommandResult> {
  const { agent, credential, variables = {}, allow = [] } = subject;
  const flags = [
    ...Object.entries(variables).flatMap(([name, value]) => ["-e", `${name}=${value}`]),
    ...allow.flatMap((host) => ["--allow", host]),
    ...prompts.flatMap((prompt) => ["--prompt", prompt]),
  ];
  return line.run(["chat", agent, "-e", credential, "--output", "json", ...flags], {
    environment: { ...world.environment, [credential]: KEY },
  });
}

function read({ stdout }: CommandResult): TurnEvent[] {
  const lines = stdout.split("\n").filter((text) => text !== "");
  return lines.map((text) => JSON.parse(text) as TurnEvent);
}

function ends(events: readonly TurnEvent[]): object[] {
  return events.flatMap((event) => {
    if (event.type !== "turn-end") return [];
    const { outcome, reason, answer } = event;
    return [{ outcome, reason, answer }];
  });
}

/** Brings the agent that a page describes, by the file as it stands there. */
async function bring(agent: string): Promise<void> {
  const page = readFileSync(join(import.meta.dirname, "../../docs/agents/own.md"), "utf8");
  const [, text = ""] = /^```yaml\n(.*?)^```/ms.exec(page) ?? [];
  const file = join(line.directory, `${agent}.yaml`);
  writeFileSync(file, text);
  expect(await line.run(["agents", "add", file])).toMatchObject({ code: 0 });
}

const NEEDS = allOf(program("crun"), program("node"), program("npm"), REGISTRY_IN_REACH);

describe.skipIf(!NEEDS.met).each(SUBJECTS)(NEEDS.title("$agent"), (subject) => {
  test("is installed through the gateway, and a turn of it uses a tool for real", async () => {
    if (subject.own) await bring(subject.agent);
    const result = await chat(
      subject,
      "Please do this.\nRUN: echo made > made.txt; cat made.txt\n",
    );
    expect(result.stderr).toContain("Installing");
    const events = read(result);
    const [end] = ends(events);
    expect(end).toMatchObject({ outcome: "succeeded", reason: null });
    expect(end).toHaveProperty("answer", expect.stringContaining("made"));
    expect(readFileSync(join(line.workspace, "made.txt"), "utf8")).toBe("made\n");
    const tools = events.filter(({ type }) => type === "tool-start" || type === "tool-end");
    expect(tools).toMatchObject([{ type: "tool-start" }, { type: "tool-end", isError: false }]);
    expect(world.asked.some((asked) => asked.startsWith(subject.model))).toBe(true);
  });

  test("goes on with its conversation, and cannot reach a host that no rule names", async () => {
    const events = read(
      await chat(
        subject,
        "My name is Ada. Remember it.\nSAY: noted\n",
        "What is my name?\nRECALL\n",
        "Please do this.\nRUN: curl -sS https://example.com 2>&1; true\n",
      ),
    );
    expect(ends(events)).toMatchObject([
      { outcome: "succeeded", answer: "noted" },
      { outcome: "succeeded", answer: "Your name is Ada." },
      { outcome: "succeeded", answer: expect.stringContaining("Could not resolve host") },
    ]);
  });

  test("that its model refuses is a failed turn, with the reason", async () => {
    const result = await chat(subject, "FAIL");
    expect(ends(read(result))).toMatchObject([
      { outcome: "failed", reason: expect.stringContaining("The scripted model fails.") },
    ]);
    expect(result.code).not.toBe(0);
  });

  test("leaves its key in no file of ours", () => {
    expect(filesHolding(KEY, line.directory)).toEqual([]);
  });
});
