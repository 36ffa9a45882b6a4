import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Sandbox } from "../../src/protocol/sandbox.ts";
import { CommandLine, type CommandResult } from "../support/command-line.ts";
import { program } from "../support/requirement.ts";

const canIsolate = program("crun");

describe.skipIf(!canIsolate.met)(canIsolate.title("configuration"), () => {
  let cli: CommandLine;
  let settings: string;

  const inspect = async (name: string): Promise<Sandbox> =>
    JSON.parse((await cli.run(["inspect", name, "--json"])).stdout) as Sandbox;
  const codeOf = ({ code, stderr }: CommandResult): unknown[] => [
    code,
    /code: (\S+)/.exec(stderr)?.[1],
  ];

  beforeAll(async () => {
    cli = new CommandLine();
    settings = join(cli.paths.stateDirectory, "config.yaml");
    await cli.run(["ls"]);
  });
  afterAll(() => cli.close());

  test("inspect shows what holds and where each value was said", async () => {
    writeFileSync(
      settings,
      "maxAge: 8h\nallow: [one.example]\nmirrors:\n  m.example:443: 127.0.0.1:9\n",
    );
    mkdirSync(join(cli.workspace, ".cattlegrid"));
    const project = join(cli.workspace, ".cattlegrid/config.yaml");
    writeFileSync(project, "idleStop: 20m\nmode: readonly\n");
    const environment = { CATTLEGRID_POLICY: "agent" };
    const words = ["create", "shell", "--name", "box", "--allow", "two.example"];
    expect((await cli.run(words, { environment })).code).toBe(0);
    const box = await inspect("box");
    expect(box).toMatchObject({
      workspace: { mode: "readonly" },
      lifetime: { idleStopMs: 1_200_000, maxAgeMs: 28_800_000 },
      mirrors: "m.example:443=127.0.0.1:9",
      policy: { preset: "agent", allow: ["one.example", "two.example"] },
    });
    expect(box.origins).toMatchObject({
      isolation: "built in",
      policy: "CATTLEGRID_POLICY",
      mode: `${project}:2`,
      idleStop: `${project}:1`,
      maxAge: `${settings}:1`,
      allow: `${settings}:2, --allow`,
      mirrors: `${settings}:3`,
    });
    const text = (await cli.run(["inspect", "box"])).stdout;
    expect(text).toContain("maximum age: 8h, ");
    expect(text).toContain("  policy: CATTLEGRID_POLICY\n");
  });

  test("a flag wins over all of it, and a project that widens is refused with its line", async () => {
    const words = ["create", "shell", "--name", "free", "--mode", "direct", "--idle-stop", "1h"];
    expect((await cli.run(words)).code).toBe(0);
    const free = await inspect("free");
    expect([free.workspace?.mode, free.lifetime.idleStopMs]).toEqual(["direct", 3_600_000]);
    expect(free.origins).toMatchObject({ mode: "--mode", idleStop: "--idle-stop" });
    writeFileSync(join(cli.workspace, ".cattlegrid/config.yaml"), "# all\nallow: [evil.example]\n");
    const refused = await cli.run(["create", "shell", "--name", "wide"]);
    expect(codeOf(refused)).toEqual([125, "CONFIG_INVALID"]);
    expect(refused.stderr).toMatch(/config\.yaml:2:1: a project may not say "allow", but only/);
    writeFileSync(join(cli.workspace, ".cattlegrid/config.yaml"), "");
  });

  test("variables come from files, and credentials' values do not", async () => {
    writeFileSync(join(cli.workspace, "vars"), "# for the build\nA=from file\nB=1\n");
    writeFileSync(join(cli.workspace, "keys"), "KIRO_API_KEY=ksk_leaked\n");
    const flags = ["--env-file", "vars", "-e", "B=2"];
    const echo = 'echo "$A $B"';
    const ran = await cli.run(["run", "shell", "--name", "vars", ...flags, "--", "-c", echo]);
    expect(ran.stdout).toBe("from file 2\n");
    const executed = await cli.run(["exec", ...flags, "vars", "--", "sh", "-c", echo]);
    expect(executed.stdout).toBe("from file 2\n");
    for (const words of [
      ["create", "shell", "--name", "no"],
      ["exec", "vars"],
    ]) {
      const [verb = "", ...rest] = words;
      const refused = await cli.run([
        verb,
        "--env-file",
        "keys",
        ...rest,
        ...(verb === "exec" ? ["true"] : []),
      ]);
      expect(codeOf(refused)).toEqual([125, "ENVIRONMENT_INVALID"]);
      expect(refused.stderr).toMatch(/keys:1: KIRO_API_KEY is a credential/);
      expect(refused.stderr).not.toContain("leaked");
    }
  });

  test("the daemon's log is named and shown, and holds no variable's value", async () => {
    const { logFile } = cli.paths;
    expect((await cli.run(["daemon", "status"])).stdout).toContain(`log: ${logFile}\n`);
    expect((await cli.run(["doctor"])).stdout).toContain(logFile);
    const { code, stdout } = await cli.run(["daemon", "log"]);
    expect(code).toBe(0);
    const lines = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as { msg: string });
    expect(lines.map(({ msg }) => msg)).toContain("the daemon listens");
    expect(stdout).not.toContain("from file");
  });
});
