import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CommandLineYard, KEY } from "../support/command-line-yard.ts";
import { KIRO_NEEDS } from "../support/kiro-needs.ts";
import { filesHolding, processesNaming } from "../support/traces.ts";

const SECRET_TEXT = "host-only-7f3a";
const TELEMETRY = "telemetry.us-east-1.kiro.dev";

describe.skipIf(!KIRO_NEEDS.met)(KIRO_NEEDS.title("what Kiro's sandbox gets to see"), () => {
  let yard: CommandLineYard;
  const named = ["--name", "box"];
  const inside = (script: string): Promise<string> => yard.inside("box", script);

  beforeAll(async () => {
    yard = await CommandLineYard.open();
    const home = join(yard.root, "home");
    for (const folder of [".kiro/settings", ".aws", ".ssh", ".config/gh"]) {
      mkdirSync(join(home, folder), { recursive: true });
      writeFileSync(join(home, folder, "file"), SECRET_TEXT);
    }
    writeFileSync(
      join(home, ".gitconfig"),
      `[user]\n  name = Ada Lovelace\n  email = ada@example.invalid\n[alias]\n  x = ${SECRET_TEXT}\n`,
    );
    execFileSync("git", ["init", "-q", yard.workspace]);
    const environment = { HOST_ONLY: SECRET_TEXT, SSH_AUTH_SOCK: `/tmp/${SECRET_TEXT}` };
    await yard.run(["run", "kiro", ...named, "--", "--version"], { environment });
  });
  afterAll(() => yard?.close());

  test("is nothing of the host's configuration, environment or sockets", async () => {
    const places = `"$HOME" /etc /run /tmp /var ${join(yard.root, "home")}`;
    expect(await inside(`grep -rsl ${SECRET_TEXT} ${places}; echo end`)).toBe("end\n");
    expect(await inside("env")).not.toContain(SECRET_TEXT);
    expect(await inside("cat /proc/[0-9]*/environ | tr '\\0' '\\n'")).not.toContain(SECRET_TEXT);
    expect(await inside("ls -A ~/.ssh ~/.aws ~/.config/gh 2>/dev/null; echo end")).toBe("end\n");
    expect(await inside("cat ~/.kiro/settings/file 2>/dev/null; echo end")).toBe("end\n");
    const sockets = "find / -xdev -type s 2>/dev/null; grep -v ^Num /proc/net/unix; echo end";
    expect(await inside(sockets)).toBe("end\n");
  });

  test("is the name and address that git signs with, and no other setting of git's", async () => {
    const said = "git config user.name; git config user.email; git config alias.x; echo end";
    expect(await inside(said)).toBe("Ada Lovelace\nada@example.invalid\nend\n");
    const commit = "touch a && git add a && git commit -qm test && git log --format=%an";
    expect(await inside(`cd ${yard.workspace} && ${commit}`)).toBe("Ada Lovelace\n");
  });

  test("is the API key in the turn's own process tree, and nowhere else", async () => {
    const show =
      "run: printf %s \"$KIRO_API_KEY\" | wc -c > length; tr '\\0' ' ' < /proc/$PPID/cmdline > command; sleep 1";
    const chat = yard.start(["chat", "kiro", "-e", "KIRO_API_KEY", ...named, "--prompt", show], {
      environment: { KIRO_API_KEY: KEY },
    });
    await chat.until(/Asked for by the prompt/);
    // While the turn runs, of the host's processes only those of the caller and of the turn have it.
    const commands = processesNaming(KEY);
    expect(commands.filter((command) => command.includes(KEY))).toEqual([]);
    const holders = commands.map((command) => command.split(" ")[1] ?? "");
    expect(holders.filter((program) => /unshare|crun|keeper|daemon/.test(program))).toEqual([]);
    expect(await inside("env")).not.toContain(KEY);
    expect(await chat.finished).toMatchObject({ exitCode: 0 });
    const read = (name: string): string => readFileSync(join(yard.workspace, name), "utf8");
    expect(read("length").trim()).toBe(String(KEY.length));
    expect(read("command")).not.toContain(KEY);

    const shown = await yard.run(["inspect", "box", "--json"]);
    const logged = await yard.run(["logs", "box", "--egress", "--json"]);
    for (const { text } of [shown, logged]) expect(text).not.toContain(KEY);
    expect(filesHolding(join(yard.root, "state"), KEY)).toEqual([]);
    expect(processesNaming(KEY)).toEqual([]);
    const left = `grep -rsl ${KEY.slice(0, -1)}[${KEY.at(-1)}] "$HOME" /tmp /run /dev/shm; echo end`;
    expect(await inside(left)).toBe("end\n");
  });

  test("is no key whose value stands on the command line", async () => {
    const words = ["chat", "kiro", "-e", `KIRO_API_KEY=${KEY}`, ...named, "--prompt", "say: hi"];
    const { exitCode, stderr } = await yard.run(words);
    expect(exitCode).toBe(125);
    expect(stderr.toString()).toContain("ENVIRONMENT_INVALID");
    expect(stderr.toString()).not.toContain(KEY);
  });

  test("is no key that was not passed with -e", async () => {
    const words = ["chat", "kiro", ...named, "--prompt", "say: hi"];
    const { exitCode } = await yard.run(words, { environment: { KIRO_API_KEY: KEY } });
    expect(exitCode).toBe(121);
  });

  test("is Kiro's service but not its telemetry, which is refused at once and recorded", async () => {
    const ask = (host: string): string =>
      `curl -s -m 10 -o /dev/null -w '%{http_code} %{time_total}' https://${host}/; echo " $?"`;
    const [status, seconds, curl] = (await inside(ask(TELEMETRY))).trim().split(" ");
    expect([status, curl]).toEqual(["000", "6"]);
    expect(Number(seconds)).toBeLessThan(5);
    expect(await inside(ask("management.us-east-1.kiro.dev"))).toMatch(/^[1-5]\d\d \S+ 0\n$/);
    const { stdout } = await yard.run(["logs", "box", "--egress", "--json"]);
    const records = stdout
      .toString()
      .split("\n")
      .filter((line) => line.includes(TELEMETRY))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(records.length).toBeGreaterThan(0);
    for (const record of records) expect(record).toMatchObject({ kind: "dns", action: "deny" });
    expect(yard.cloud.requests.join("\n")).not.toContain(TELEMETRY);
  });
});
