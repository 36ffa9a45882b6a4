import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { SessionYard } from "../../../test/support/session-yard.ts";
import { writeBundle } from "../../login/bundle.ts";

const PLACE = { owner: "local:7", agent: "tool", profile: "default" };
const never = new AbortController().signal;

let yard: SessionYard;
beforeEach(async () => {
  yard = await SessionYard.open({ keptSignIn: { directory: ".tool", files: ["account"] } });
});
afterEach(() => yard.close());

async function bring(account: string, profile = "default"): Promise<void> {
  const bundle = writeBundle(new Map([["account", Buffer.from(`${account}\n`)]]));
  const request = { bundle: bundle.toString("base64") };
  await yard.engine.logins.importBundle({ ...PLACE, profile }, request, never);
}

/** Another sandbox of the same workspace. */
async function sandbox(name: string, loginProfile?: string): Promise<string> {
  const { sandbox: made } = await yard.engine.sandboxes.create("local:7", {
    agent: "tool",
    name,
    workspace: join(yard.root, "work"),
    ...(loginProfile === undefined ? {} : { loginProfile }),
  });
  await yard.start(made.id);
  return made.id;
}

const accountIn = (id: string): string =>
  readFileSync(join(yard.home(id), ".tool/account"), "utf8").trim();

async function chat(id: string): Promise<string> {
  const session = await yard.session(id, { kind: "turns" });
  await yard.until(session, "session-ready");
  return session;
}

describe("of an agent that renews its sign-in by itself, in a file", () => {
  test("every new sandbox has a copy before its first session, each of the profile it was made for", async () => {
    await bring("ada");
    await bring("grace", "work");
    const [one, two] = [await sandbox("one"), await sandbox("two", "work")];
    for (const id of [one, two]) await chat(id);
    expect([accountIn(one), accountIn(two)]).toEqual(["ada", "grace"]);
    expect(await yard.engine.logins.list("local:7", never)).toMatchObject([
      { profile: "default", account: "ada", sandboxes: ["one"] },
      { profile: "work", account: "grace", sandboxes: ["two"] },
    ]);
    expect(await yard.engine.logins.list("local:8", never)).toEqual([]);
  });

  test("what it renewed in a turn is what the next sandbox gets, and the others before their next turn", async () => {
    await bring("first");
    const [one, two] = [await sandbox("one"), await sandbox("two")];
    const [inOne, inTwo] = [await chat(one), await chat(two)];
    await yard.ask(inOne, "echo renewed > $HOME/.tool/account; echo done");
    const three = await sandbox("three");
    await chat(three);
    expect(accountIn(three)).toBe("renewed");
    expect(accountIn(two)).toBe("first");
    await yard.ask(inTwo, "echo done");
    expect(accountIn(two)).toBe("renewed");
  });

  test("what a second one made of an old copy is not taken over", async () => {
    await bring("first");
    const [one, two] = [await sandbox("one"), await sandbox("two")];
    const [inOne, inTwo] = [await chat(one), await chat(two)];
    const slow = yard.ask(
      inTwo,
      "while [ ! -e $HOME/go ]; do sleep 0.05; done; echo late > $HOME/.tool/account; echo done",
    );
    await yard.ask(inOne, "echo early > $HOME/.tool/account; echo done");
    writeFileSync(join(yard.home(two), "go"), "");
    await slow;
    await yard.ask(inTwo, "echo done");
    expect(accountIn(two)).toBe("early");
  });

  test("a sign-in that a sandbox has of its own is left as it is", async () => {
    await bring("kept");
    const id = await sandbox("own");
    await yard.engine.sandboxes.running(id);
    writeFileSync(join(yard.home(id), "account"), "own\n");
    const session = await yard.session(id, { kind: "turns" });
    expect(await yard.until(session, "signed-in")).toMatchObject({ account: "own" });
  });

  test("nothing of a sign-in is in the state's records", async () => {
    await bring("canary-5e1f");
    const id = await sandbox("one");
    await yard.ask(await chat(id), "echo done");
    const account = await yard.engine.logins.exportBundle(PLACE, never);
    expect(yard.records()).not.toContain(account.toString("base64").slice(0, 40));
    expect(yard.records()).not.toContain("canary-5e1f");
  });
});
