import { execFileSync } from "node:child_process";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { zstdDecompressSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { LoginProfile } from "../../src/protocol/login.ts";
import { CommandLineYard } from "../support/command-line-yard.ts";
import { KIRO_NEEDS } from "../support/kiro-needs.ts";
import { allOf, program } from "../support/requirement.ts";
import { filesHolding, processesNaming } from "../support/traces.ts";

const NEEDS = allOf(KIRO_NEEDS, program("script"));

describe.skipIf(!NEEDS.met)(NEEDS.title("cattlegrid login"), () => {
  let yard: CommandLineYard;
  let bundle: string;
  beforeAll(async () => {
    yard = await CommandLineYard.open({ approval: "auto" });
    bundle = join(yard.root, "kiro.tar.zst");
  });
  afterAll(() => yard?.close());

  async function profiles(): Promise<readonly LoginProfile[]> {
    const { stdout } = await yard.run(["login", "--status", "--json"]);
    return (JSON.parse(stdout.toString()) as { profiles: LoginProfile[] }).profiles;
  }

  test("signs in once, in a sandbox that is gone afterwards, and every chat is signed in", async () => {
    expect(await profiles()).toEqual([]);
    const { exitCode, text } = await yard.run(["login", "kiro"]);
    expect(text).toMatch(/Open https:\/\/view\.awsapps\.com[^]*code: [A-Z-]{9}/);
    expect(text).toContain("Kept as the login profile default: every new sandbox of kiro");
    expect(exitCode).toBe(0);
    expect(await yard.sandboxes()).toEqual([]);
    expect(await profiles()).toMatchObject([
      { agent: "kiro", profile: "default", status: "signed-in", account: "Builder ID" },
    ]);
    const chat = await yard.run(["chat", "kiro", "--prompt", "say: signed in"]);
    expect([chat.exitCode, chat.stdout.toString()]).toEqual([
      0,
      expect.stringContaining("signed in"),
    ]);
  });

  test("writes a bundle that is its owner's alone, to a file or a pipe, and never to a terminal", async () => {
    const { exitCode, text } = await yard.run(["login", "kiro", "--export", bundle]);
    expect([exitCode, text]).toEqual([0, expect.stringContaining("whoever has it is signed in")]);
    expect(statSync(bundle).mode & 0o777).toBe(0o600);
    const piped = await yard.run(["login", "kiro", "--export", "-"]);
    expect(zstdDecompressSync(piped.stdout)).toEqual(zstdDecompressSync(readFileSync(bundle)));
    for (const place of ["-", "/dev/tty"]) {
      const command = `cattlegrid login kiro --export ${place}; echo "status=$?"`;
      const shown = (await yard.startInTerminal(command).finished).text;
      expect(shown).toContain("is a terminal");
      expect(shown).toContain("status=125");
      expect(shown).not.toContain("\u0028\u00b5");
    }
    const nowhere = ["login", "kiro", "--export", join(yard.root, "no/where")];
    expect((await yard.run(nowhere)).text).toContain("COPY_TARGET");
  });

  test("takes a bundle in as another profile, from a file or a pipe, plain or in base64", async () => {
    const words = ["login", "kiro", "--profile", "second", "--import"];
    const base64 = readFileSync(bundle).toString("base64");
    expect((await yard.run([...words, "-"], { input: base64 })).exitCode).toBe(0);
    expect((await yard.run([...words, bundle])).text).toContain(
      "login profile second (Builder ID)",
    );
    const chat = ["chat", "kiro", "--profile", "second", "--prompt", "say: x"];
    expect((await yard.run(chat)).exitCode).toBe(0);
    const typed = await yard.startInTerminal("cattlegrid login kiro --import -").finished;
    expect(typed.text).toContain("A bundle is not typed");
  });

  test.each([
    ["that is cut off", () => readFileSync(bundle).subarray(0, 200), "BUNDLE_INVALID"],
    ["that is none", () => Buffer.from("hello"), "BUNDLE_INVALID"],
    ["that is too large", () => Buffer.alloc(21 * 1024 * 1024), "BUNDLE_TOO_LARGE"],
  ])(
    "refuses one %s with a code, a hint and 125, and keeps nothing of it",
    async (_, make, code) => {
      const before = await profiles();
      const path = join(yard.root, "bad");
      writeFileSync(path, make());
      const words = ["login", "kiro", "--profile", "bad", "--import", path];
      const { exitCode, text } = await yard.run(words);
      expect([exitCode, text]).toEqual([125, expect.stringContaining(`code: ${code}`)]);
      expect(text).toContain("hint: ");
      expect(await profiles()).toEqual(before);
    },
  );

  test("refuses one of another agent, an agent without a sign-in, and flags that exclude each other", async () => {
    const other = await yard.run(["login", "codex", "--import", bundle]);
    expect([other.exitCode, other.text]).toEqual([125, expect.stringContaining("SIGN_IN_INVALID")]);
    const none = await yard.run(["login", "shell", "--import", bundle]);
    expect(none.text).toContain("AGENT_OPTION_UNAVAILABLE");
    const both = await yard.run(["login", "kiro", "--status", "--export", bundle]);
    expect([both.exitCode, both.text]).toEqual([125, expect.stringContaining("exclude")]);
  });

  test("leaves no token in any file, log, record or command line but where a copy has to be", async () => {
    const named = ["--name", "box"];
    const recorded = ["--record", "--no-tty", "--", "chat", "--no-interactive", "say: x"];
    expect((await yard.run(["run", "kiro", ...named, ...recorded])).exitCode).toBe(0);
    const tar = zstdDecompressSync(readFileSync(bundle)).toString("latin1");
    const refresh = /simulated-refresh-[\w-]{32}/.exec(tar)![0];
    const access = /simulated-access-[\w-]{32}/.exec(tar)![0];
    const state = join(yard.root, "state");
    expect(filesHolding(state, refresh)).toEqual([]);
    expect(filesHolding(state, /simulated-secret-[\w-]{32}/.exec(tar)![0])).toEqual([]);
    const holders = filesHolding(state, access);
    expect(holders.length).toBeGreaterThan(0);
    for (const path of holders) expect(path).toMatch(/\/providers\/.*data\.sqlite3/);
    expect(processesNaming(refresh)).toEqual([]);
    expect(processesNaming(access)).toEqual([]);
    const inside = `grep -rl ${refresh.slice(0, -1)}[${refresh.at(-1)}] "$HOME" /tmp; echo end`;
    expect(await yard.inside("box", inside)).toBe("end\n");
    const shown = await yard.run(["inspect", "box", "--json"]);
    expect(shown.text).not.toContain(access.slice(0, 30));
  });

  test("and logout forgets it, in running sandboxes too", async () => {
    const { exitCode, text } = await yard.run(["logout", "kiro"]);
    expect([exitCode, text]).toEqual([0, expect.stringContaining("default of kiro is forgotten")]);
    const whoami = await yard.run(["exec", "box", "--", "kiro-cli", "whoami"]);
    expect(whoami.stdout.toString()).toBe("Not logged in\n");
    const again = await yard.run(["logout", "kiro"]);
    expect([again.exitCode, again.text]).toEqual([
      125,
      expect.stringContaining("LOGIN_PROFILE_NOT_FOUND"),
    ]);
    const chat = await yard.run(["chat", "kiro", "--prompt", "hello"]);
    expect([chat.exitCode, chat.text]).toEqual([
      121,
      expect.stringContaining("Sign in with `cattlegrid login kiro`"),
    ]);
    expect(execFileSync("ls", [yard.workspace]).toString()).toBe("");
  });
});
