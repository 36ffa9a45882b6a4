import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Prunable } from "../../src/protocol/prune.ts";
import type { Sandbox } from "../../src/protocol/sandbox.ts";
import { CommandLine, type CommandResult } from "../support/command-line.ts";
import { program } from "../support/requirement.ts";

const canIsolate = program("crun");

describe.skipIf(!canIsolate.met)(canIsolate.title("how long a sandbox lasts"), () => {
  let cli: CommandLine;

  const inspect = async (name: string): Promise<Sandbox> =>
    JSON.parse((await cli.run(["inspect", name, "--json"])).stdout) as Sandbox;
  const untilStopped = async (name: string): Promise<string | undefined> => {
    await expect
      .poll(async () => (await inspect(name)).status, { timeout: 30_000, interval: 200 })
      .toBe("stopped");
    return (await inspect(name)).statusReason;
  };
  const run = (name: string, ...words: string[]): Promise<CommandResult> =>
    cli.run(["run", "shell", "--name", name, ...words]);
  const codeOf = ({ code, stderr }: CommandResult): unknown[] => [
    code,
    /code: (\S+)/.exec(stderr)?.[1],
  ];

  beforeAll(() => {
    cli = new CommandLine();
  });
  afterAll(() => cli.close());

  test("an idle sandbox is stopped, says why, and can be started again", async () => {
    expect((await run("idle", "--idle-stop", "2s", "--", "-c", "true")).code).toBe(0);
    expect((await inspect("idle")).lifetime).toMatchObject({ idleStopMs: 2000 });
    expect((await cli.run(["inspect", "idle"])).stdout).toMatch(/idle stop: 2s/);
    expect(await untilStopped("idle")).toBe("it was idle for 2s");
    expect((await cli.run(["start", "idle"])).code).toBe(0);
  });

  test("a command that works in silence is not idle", async () => {
    const silent = ["run", "shell", "--name", "idle", "--", "-c", "sleep 5; echo done"];
    expect((await cli.run(silent)).stdout).toBe("done\n");
  });

  test("a session is told before its end, and a sandbox that is too old starts no more", async () => {
    const { code, stderr } = await run("old", "--max-age", "4s", "--", "-c", "sleep 60");
    // Ended by us, or by the end of the sandbox: whichever is seen first.
    expect([130, 137]).toContain(code);
    expect(stderr).toMatch(/is stopped at \d\d:\d\d:\d\d, at its maximum age of 4s\./);
    expect(stderr).toContain("is stopped: it reached its maximum age of 4s.");
    expect(await untilStopped("old")).toBe("it reached its maximum age of 4s");
    expect(codeOf(await cli.run(["start", "old"]))).toEqual([125, "SANDBOX_EXPIRED"]);
  });

  test("recreate gives a fresh home under the old name and wishes, and a new age", async () => {
    const made = ["run", "shell", "--name", "anew", "--deny", "x.example", "-e", "MARK=1", "--"];
    await cli.run([...made, "-c", "touch ~/junk ./kept"]);
    const before = await inspect("anew");
    expect((await cli.run(["recreate", "anew"])).code).toBe(0);
    const after = await inspect("anew");
    expect(after).toMatchObject({
      name: "anew",
      status: "created",
      workspace: before.workspace,
      policy: before.policy,
      environmentNames: ["MARK"],
    });
    expect([after.id === before.id, after.createdAt > before.createdAt]).toEqual([false, true]);
    const look = await cli.run(["run", "--name", "anew", "--", "-c", 'ls ~; echo "$MARK"; ls']);
    expect(look.stdout).toBe("1\nkept\n");
    expect((await cli.run(["recreate", "old"])).code).toBe(0);
    expect((await cli.run(["start", "old"])).code).toBe(0);
  });

  test("recreate leaves a busy sandbox alone, and one whose agent has no sign-in to keep", async () => {
    await cli.run(["run", "shell", "--name", "busy", "-d", "--no-tty", "--", "-c", "sleep 600"]);
    const outcomes = [
      await cli.run(["recreate", "busy"]),
      await cli.run(["recreate", "busy", "--force", "--keep-login"]),
      await cli.run(["recreate", "nowhere"]),
    ];
    expect(outcomes.map(codeOf)).toEqual([
      [125, "SANDBOX_BUSY"],
      [125, "REQUEST_INVALID"],
      [125, "SANDBOX_NOT_FOUND"],
    ]);
    expect((await inspect("busy")).status).toBe("running");
  });

  test("prune lists, asks, and removes what does not run", async () => {
    for (const name of ["rest-1", "rest-2"]) {
      mkdirSync(join(cli.directory, name));
      await cli.run(["create", "shell", join(cli.directory, name), "--name", name]);
    }
    const dry = await cli.run(["prune", "--dry-run", "--json"]);
    const names = (JSON.parse(dry.stdout) as Prunable).sandboxes.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(["rest-1", "rest-2"]));
    expect(names).not.toContain("busy");
    expect((await cli.run(["prune", "--dry-run"])).stdout).toMatch(
      /^sandbox +rest-1 +- +created since/m,
    );
    expect(codeOf(await cli.run(["prune"]))).toEqual([125, "USAGE"]);
    const none = await cli.run(["prune", "--older-than", "1d", "--yes", "--json"]);
    expect(JSON.parse(none.stdout)).toEqual({ sandboxes: [], layers: [] });
    const { code, stderr } = await cli.run(["prune", "--yes"]);
    expect([code, stderr]).toEqual([
      0,
      expect.stringMatching(/removed \d+ sandboxes, 0 installed agents, 0 /),
    ]);
    expect(readdirSync(join(cli.paths.providerDirectory("local"), "trash"))).toEqual([]);
    expect(codeOf(await cli.run(["inspect", "rest-1"]))).toEqual([125, "SANDBOX_NOT_FOUND"]);
    expect((await inspect("busy")).status).toBe("running");
  });

  test.each([
    [["run", "shell", "--idle-stop", "soon"], "USAGE"],
    [["prune", "--older-than", "x"], "USAGE"],
  ])("%j has a code and a hint", async (words, code) => {
    expect(codeOf(await cli.run(words))).toEqual([125, code]);
  });
});
