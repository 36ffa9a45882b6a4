import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { RawDaytona } from "../support/daytona-client.ts";
import { DaytonaLine } from "../support/daytona-line.ts";
import { DAYTONA_NEEDS } from "../support/fake-daytona.ts";
import { KIRO_NEEDS } from "../support/kiro-needs.ts";
import { allOf, program } from "../support/requirement.ts";
import type { RunningProgram } from "../support/running-program.ts";

const NEEDS = allOf(KIRO_NEEDS, DAYTONA_NEEDS, program("script"), program("stty"));
const DAYTONA = ["--provider", "daytona", "--policy", "open"];
/** Home, with Kiro in it, as the first sandbox had it. */
const SNAPSHOT = { CATTLEGRID_DAYTONA_SNAPSHOT: "with-kiro" };
const CTRL_C = "\u0003";
const CTRL_D = "\u0004";
/** The prompt, with the line editor's own sequences around it. */
const READY = /> \u001B\[3G$/;
const BEGUN = /All tools are now trusted/;
/** A sign-in that can be renewed, or the place where it would be. */
const TOKEN = 'efresh_token":["n][a-z0-9_]*';
const SOON = { timeout: 60_000, interval: 100 };

describe.skipIf(!NEEDS.met)(NEEDS.title("a chat with Kiro at Daytona, simulated"), () => {
  let line: DaytonaLine;
  beforeAll(async () => {
    line = await DaytonaLine.open();
  });
  afterAll(() => line?.close());
  beforeEach(() => writeFileSync(at("f"), "old\n"));

  const at = (name: string): string => join(line.yard.workspace, name);
  const read = (name: string): string => readFileSync(at(name), "utf8");
  const begin = async (...words: readonly string[]): Promise<RunningProgram> => {
    const environment = { ...SNAPSHOT, KIRO_API_KEY: line.key };
    const flags = [...DAYTONA, "-e", "KIRO_API_KEY"];
    const chat = line.yard.start(["chat", "kiro", ...flags, ...words], { environment });
    chat.end();
    return chat;
  };
  /** Nothing is at the service, by its own word; what was changed is here, and is taken by `apply`. */
  const expectSaved = async (changes: string): Promise<void> => {
    const statuses = async (): Promise<readonly string[]> =>
      (await line.yard.sandboxes()).map(({ status, ephemeral }) => `${status} ${ephemeral}`);
    await expect.poll(statuses, SOON).toEqual(["stopped false"]);
    expect(line.daytona.sandboxes.list()).toEqual([]);
    const { method, path, status } = line.daytona.log.requests.at(-1) ?? {};
    expect([method, path, status]).toEqual(["GET", expect.stringMatching(/sandbox\/[^/]+$/), 404]);
    expect(read("f")).toBe("old\n");
    const [{ name } = { name: "" }] = await line.yard.sandboxes();
    expect((await line.yard.run(["apply", name])).stdout.toString()).toBe(changes);
    expect((await line.yard.run(["rm", name])).exitCode).toBe(0);
  };

  test("by key: installs Kiro once, answers in one conversation, and leaves a snapshot's sandbox to install nothing", async () => {
    const words = [...DAYTONA, "--name", "first"];
    const prompts = ["--prompt", "Remember my name is Ada.", "--prompt", "What is my name?"];
    const chat = await line.yard.chat([...words, ...prompts]);
    expect([chat.exitCode, chat.stdout.toString()]).toEqual([
      0,
      expect.stringContaining("Your name is Ada."),
    ]);
    expect(chat.stderr.toString()).toContain("Installed kiro");
    const raw = new RawDaytona(line.daytona);
    const [sandbox] = line.daytona.sandboxes.list();
    const wish = { name: SNAPSHOT.CATTLEGRID_DAYTONA_SNAPSHOT };
    expect((await raw.api("POST", `/sandbox/${sandbox?.id}/snapshot`, wish)).status).toBe(200);
    expect((await line.yard.run(["rm", "--force", "first"])).exitCode).toBe(0);
    expect(line.daytona.sandboxes.list()).toEqual([]);
    const again = await (await begin("--prompt", "say: hello")).finished;
    expect([again.exitCode, again.text]).toEqual([0, expect.not.stringContaining("Installing")]);
    expect(again.stdout.toString()).toContain("hello");
    expect([line.daytona.sandboxes.list(), await line.yard.sandboxes()]).toEqual([[], []]);
  });

  test("on a terminal: signs in by code, cancels a turn and goes on, offers what was changed at Ctrl+D, and deletes the sandbox", async () => {
    const flags = [...DAYTONA, "--profile", "by-code"].join(" ");
    const script = `cattlegrid chat kiro ${flags}; echo "status=$?"`;
    const chat = line.yard.startInTerminal(script, { environment: SNAPSHOT });
    await chat.until(/Use with Your Organization/);
    chat.write("\r");
    const code = /code: (\S+)/.exec(await chat.until(/code: [A-Z]{4}-[A-Z]{4}/))?.[1] ?? "";
    expect(line.yard.cloud.approve(code)).toBe(true);
    const ask = async (prompt: string, answer: RegExp): Promise<void> => {
      const start = chat.text().length;
      chat.write(`${prompt}\r`);
      await chat.until(answer, start);
    };
    await chat.until(READY);
    await ask("silence: 300", BEGUN);
    chat.write(CTRL_C);
    await chat.until(new RegExp(`The turn was cancelled[^]*${READY.source}`));
    await ask("write f: by the agent", new RegExp(`Credits[^]*${READY.source}`));
    chat.write(CTRL_D);
    await chat.until(/these changes of \S+ are not in your files:\s+f \| modified[^]*Apply them/);
    chat.write("\r");
    const { text } = await chat.finished;
    expect(text).toContain("status=0");
    expect(read("f")).toBe("by the agent");
    expect([line.daytona.sandboxes.list(), await line.yard.sandboxes()]).toEqual([[], []]);
  });

  test("by a login that is kept and due: it is renewed on this machine, and what renews it is never at Daytona", async () => {
    const { cloud } = line.yard;
    const approve = ({ userCode }: { userCode: string }): void => void cloud.approve(userCode);
    // What a login gives lasts no longer than Kiro's own slack: to every Kiro it has ended.
    cloud.setTokenLifetime(30_000);
    cloud.events.on("waiting", approve);
    const login = await line.yard.run(["login", "kiro", "--profile", "due"]);
    cloud.events.off("waiting", approve);
    expect(login.exitCode).toBe(0);
    cloud.setTokenLifetime(3_600_000);
    const { accepted } = cloud.refreshes;
    const flags = ["chat", "kiro", ...DAYTONA, "--profile", "due"];
    const look = `run: grep -ao '${TOKEN}' ~/.local/share/kiro-cli/data.sqlite3`;
    const prompts = ["--prompt", look, "--prompt", "write f: new", "--prompt", "fail: rate-limit"];
    const chat = await line.yard.run([...flags, ...prompts], { environment: SNAPSHOT });
    expect(chat.stderr.toString()).toContain("Signed in as Builder ID.");
    expect(cloud.refreshes.accepted).toBe(accepted + 1);
    expect(chat.stdout.toString()).toContain('efresh_token":null');
    expect(chat.stdout.toString()).not.toContain('efresh_token":"');
    // A turn that fails has its own status, and loses nothing that was changed before it.
    expect(chat.exitCode).toBe(120);
    await expectSaved("modified f\n");
  });

  test.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)(
    "%s in a turn: what was changed is saved, the sandbox is deleted, and it exits %i",
    async (signal, exitCode) => {
      const chat = await begin("--prompt", "write f: new", "--prompt", "silence: 300");
      await chat.until(new RegExp(`${BEGUN.source}[^]*${BEGUN.source}`));
      chat.child.kill(signal);
      expect(await chat.finished).toMatchObject({ exitCode });
      await expectSaved("modified f\n");
    },
  );
});
