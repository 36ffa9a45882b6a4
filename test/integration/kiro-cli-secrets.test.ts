import { randomBytes } from "node:crypto";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ApiClient } from "../support/api-client.ts";
import { CommandLineYard } from "../support/command-line-yard.ts";
import { KIRO_NEEDS } from "../support/kiro-needs.ts";
import { filesHolding, processesNaming } from "../support/traces.ts";

/** Of this run alone: it looks through all processes of the machine, where another run may have its own. */
const KEY = `ksk_canary_${randomBytes(8).toString("hex")}`;
/** What is kept beside Kiro's key, for another agent. */
const TOKEN = `tok_canary_${randomBytes(8).toString("hex")}`;
/** As values might be written by accident. */
const FORMS = [KEY, TOKEN].flatMap((value) => [value, Buffer.from(value).toString("base64")]);

describe.skipIf(!KIRO_NEEDS.met)(KIRO_NEEDS.title("secrets of the vault"), () => {
  let yard: CommandLineYard;
  let told = "";
  const run = async (words: readonly string[], input = "", environment = {}): Promise<string> => {
    const { exitCode, text } = await yard.run(words, { input, environment });
    told += text;
    return `${exitCode}\n${text}`;
  };
  const traces = (): string[] =>
    FORMS.flatMap((form) => filesHolding(join(yard.root, "state"), form));

  beforeAll(async () => {
    yard = await CommandLineYard.open({ apiKeys: [KEY] });
  });
  afterAll(() => yard?.close());

  test("are given on standard input, listed by name, and bound by theirs", async () => {
    expect(await run(["secret", "set", "KIRO_API_KEY"], `${KEY}\n`)).toMatch(
      /^0\ncattlegrid: KIRO_API_KEY is kept, for kiro as KIRO_API_KEY\.\nThe key of the vault is in /,
    );
    const more = ["secret", "set", "token", "--for", "shell", "--as", "FORGE_TOKEN"];
    expect(await run(more, TOKEN)).toContain("for shell as FORGE_TOKEN");
    expect(await run(["secret", "ls"])).toMatch(/KIRO_API_KEY +in the vault +kiro as KIRO_API_KEY/);
    expect(await run(["agents", "show", "kiro"])).toContain(
      "KIRO_API_KEY (the secret KIRO_API_KEY)",
    );
    expect(traces()).toEqual([]);
  });

  test("that are no text, or too long, are refused in good order", async () => {
    const large = await run(["secret", "set", "large"], "x".repeat(200_000));
    expect(large).toMatch(/^125\n.*more than 65536 bytes.*SECRET_INVALID/s);
    expect(large).not.toContain("node:internal");
    expect(await run(["secret", "set", "none"])).toMatch(/^125\n.*it is empty/s);
  });

  test("are asked for in a terminal without being shown", async () => {
    const asked = yard.startInTerminal("cattlegrid secret set typed; echo end=$?");
    await asked.until(/Value of typed/);
    asked.write(`${TOKEN}\r`);
    const { text } = await asked.finished;
    expect(text).toContain("typed is kept");
    expect(text).toContain("end=0");
    expect(text).not.toContain(TOKEN);
    told += text;
  });

  test("are in the turn's process tree without a flag, and in nothing else", async () => {
    await run(["run", "shell", "--name", "other", "--", "-c", "true"]);
    const socket = (
      JSON.parse(readFileSync(join(yard.root, "state/daemon.json"), "utf8")) as { socket: string }
    ).socket;
    const following = new AbortController();
    let events = "";
    const stream = await new ApiClient(socket).open("/v1/events", { signal: following.signal });
    stream.on("data", (bytes) => (events += bytes)).on("error", () => undefined);

    const show =
      'run: printf %s "$KIRO_API_KEY" | wc -c > length; env | grep -c FORGE_TOKEN > others; sleep 1';
    const chat = yard.start(["chat", "kiro", "--name", "box", "--prompt", show]);
    await chat.until(/Asked for by the prompt/);
    const commands = processesNaming(KEY);
    expect(commands.filter((command) => command.includes(KEY))).toEqual([]);
    const holders = commands.map((command) => command.split(" ")[1] ?? "");
    expect(holders.filter((program) => /unshare|crun|keeper|daemon/.test(program))).toEqual([]);
    expect(await yard.inside("box", "env")).not.toContain(KEY);
    const shell = ["run", "shell", "--name", "other", "--", "-c", "env"];
    const seen = await yard.run(shell);
    expect(seen.text).toContain(`FORGE_TOKEN=${TOKEN}`);
    expect(seen.text).not.toContain(KEY);
    const finished = await chat.finished;
    expect(finished).toMatchObject({ exitCode: 0 });
    told += finished.text;
    const read = (name: string): string => readFileSync(join(yard.workspace, name), "utf8").trim();
    expect([read("length"), read("others")]).toEqual([String(KEY.length), "0"]);
    following.abort();
    expect(events).toContain("turn-end");
    expect(events).not.toMatch(new RegExp(`${KEY}|${TOKEN}`));
    await expect.poll(() => processesNaming(KEY), { timeout: 30_000 }).toEqual([]);
  });

  test("of the caller win over the vault's", async () => {
    const words = ["chat", "kiro", "-e", "KIRO_API_KEY", "--prompt", "say: hi"];
    const environment = { KIRO_API_KEY: "ksk_that_the_cloud_refuses" };
    expect(await run(words, "", environment)).not.toMatch(/^0/);
    expect(await run(["chat", "kiro", "--prompt", "say: hi"])).toMatch(/^0/);
  });

  test("go to one process that names them, and to one sandbox", async () => {
    const count = 'printf %s "$A" | wc -c';
    expect(await run(["exec", "--secret", "A=token", "box", "--", "sh", "-c", count])).toBe(
      `0\n${TOKEN.length}\n`,
    );
    expect(await run(["exec", "box", "--", "sh", "-c", count])).toBe("0\n0\n");
    const words = ["run", "shell", "--name", "third", "--secret", "A=token", "--", "-c", count];
    expect(await run(words)).toContain(`\n${TOKEN.length}\n`);
    expect(await run(["inspect", "third"])).toMatch(/bindings:\n +A: token/);
    const missing = ["run", "shell", "--name", "fourth", "--secret", "A=none"];
    expect(await run(missing)).toMatch(/^125\n.*There is no secret none/s);
    expect(await run(["inspect", "fourth"])).toContain("SANDBOX_NOT_FOUND");
  });

  test("are got in the calling shell where they are references", async () => {
    await run(["secret", "set", "shells", "--from-env", "MINE", "--for", "shell", "--as", "B"]);
    const tool = join(yard.root, "tool");
    writeFileSync(tool, `#!/bin/sh\nprintf '%s' "$MINE" | rev\n`);
    chmodSync(tool, 0o755);
    await run(["secret", "set", "tools", "--from-command", tool, "--for", "shell", "--as", "C"]);
    const words = ["run", "shell", "--name", "other", "--", "-c", "echo $B $C"];
    expect(await run(words, "", { MINE: "abc" })).toContain("\nabc cba\n");
    expect(await run(words)).toMatch(/^125\n.*MINE is not set in this shell/s);
    await run(["secret", "rm", "shells", "tools"]);
  });

  test("are imported from a file, quotes read and what cannot be one told", async () => {
    const file = join(yard.root, "keys.env");
    writeFileSync(file, `# keys\nexport FIRST="${TOKEN}"\nEMPTY=\n_HIDDEN=x\n`);
    const imported = await run(["secret", "import", file]);
    expect(imported).toMatch(/^1\n/);
    expect(imported).toMatch(
      /"EMPTY" is left out.*FIRST is kept.*"_HIDDEN" is left out.*in clear/s,
    );
    const count = [
      "exec",
      "--secret",
      "FIRST",
      "box",
      "--",
      "sh",
      "-c",
      'printf %s "$FIRST" | wc -c',
    ];
    expect(await run(count)).toBe(`0\n${TOKEN.length}\n`);
  });

  test("are never taken from a command line, nor repeated from one", async () => {
    for (const words of [
      ["secret", "set", "name", TOKEN],
      ["secret", "set", "name", `--value=${TOKEN}`],
      ["run", "shell", "--secret", `A=${TOKEN}!`],
      ["secret", "set", "name", "--from-env", "A", "--from-file", "b"],
    ]) {
      expect(await run(words)).toMatch(/^125\n.*USAGE/s);
    }
  });

  test("leave no trace: not in files, not in what was said, and not after a crash", async () => {
    await run(["secret", "rotate"]);
    await run(["run", "kiro", "--name", "box", "--record", "--", "whoami"]);
    for (const name of ["box", "other", "third"]) {
      await run(["inspect", name, "--json"]);
      await run(["logs", name, "--egress", "--json"]);
    }
    for (const words of [
      ["secret", "ls", "--json"],
      ["agents", "ls", "--json"],
      ["doctor", "--json"],
    ]) {
      await run(words);
    }
    process.kill(yard.daemonPid, "SIGABRT");
    await expect.poll(() => run(["ls", "--json"]), { timeout: 60_000 }).toMatch(/^0/);
    await run(["daemon", "log"]);
    for (const form of FORMS) expect(told).not.toContain(form);
    expect(traces()).toEqual([]);
    const naming = (): string[] => [...processesNaming(KEY), ...processesNaming(TOKEN)];
    await expect.poll(naming, { timeout: 30_000 }).toEqual([]);
    expect(await run(["chat", "kiro", "--prompt", "say: still here"])).toMatch(/^0\n.*still here/s);
  });
});
