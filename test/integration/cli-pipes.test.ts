import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { VERBS } from "../../src/cli/verbs.ts";
import { collect, CommandLine } from "../support/command-line.ts";
import { program } from "../support/requirement.ts";

const canIsolate = program("crun");

describe.skipIf(!canIsolate.met)(canIsolate.title("the command line in scripts"), () => {
  let cli: CommandLine;

  beforeAll(async () => {
    cli = new CommandLine();
    await cli.run(["run", "shell", "--name", "box", "--", "-c", "true"]);
  });
  afterAll(() => cli.close());

  describe("exec", () => {
    test("keeps both streams apart and ends with the command's own status", async () => {
      const script = "printf out; printf err >&2; exit 7";
      const result = await cli.run(["exec", "box", "--", "sh", "-c", script]);
      expect([result.code, result.stdout, result.stderr]).toEqual([7, "out", "err"]);
    });

    test("carries every byte in and out, and the end of input", async () => {
      const input = Buffer.from(Array.from({ length: 3_000_000 }, (_, index) => (index * 7) % 256));
      const { code, bytes } = await cli.run(["exec", "box", "--", "cat"], { input });
      const hash = (data: Buffer): string => createHash("sha256").update(data).digest("hex");
      expect([code, bytes.length, hash(bytes)]).toEqual([0, input.length, hash(input)]);
    });

    test("hands on what follows untouched, with and without dashes", async () => {
      const words = ["printf", "%s|", "-e", "--help", "a b", "", "$HOME"];
      const dashed = await cli.run(["exec", "box", "--", ...words]);
      const bare = await cli.run(["exec", "box", ...words]);
      expect([dashed.stdout, bare.stdout]).toEqual([
        "-e|--help|a b||$HOME|",
        "-e|--help|a b||$HOME|",
      ]);
    });

    test("runs where and with what it is told", async () => {
      const flags = ["-w", "/tmp", "-e", "GIVEN=1 2", "-e", "OWN"];
      const script = 'pwd; echo "$GIVEN $OWN"';
      const environment = { OWN: "mine" };
      const { stdout } = await cli.run(["exec", ...flags, "box", "sh", "-c", script], {
        environment,
      });
      expect(stdout).toBe("/tmp\n1 2 mine\n");
    });

    test("stops the command when its reader goes away, and says nothing about it", async () => {
      const child = cli.spawn(["exec", "box", "--", "yes"]);
      child.stdout!.once("data", () => child.stdout!.destroy());
      const { code, stderr } = await collect(child);
      expect([code, stderr]).toEqual([141, ""]);
    });

    test.each(["SIGINT", "SIGTERM"] as const)("hands %s on to the command", async (signal) => {
      const script = `trap "echo caught; exit 9" ${signal.slice(3)}; echo ready; sleep 60 & wait`;
      const child = cli.spawn(["exec", "box", "--", "sh", "-c", script]);
      const result = collect(child);
      await once(child.stdout!, "data");
      child.kill(signal);
      expect(await result).toMatchObject({ code: 9, stdout: "ready\ncaught\n" });
    });

    test.each([
      [
        "a program that is not there",
        ["exec", "box", "--", "no-such-program"],
        127,
        "COMMAND_NOT_FOUND",
      ],
      [
        "a file that is no program",
        ["exec", "box", "--", "/etc/passwd"],
        126,
        "COMMAND_NOT_EXECUTABLE",
      ],
      ["a sandbox that is not there", ["exec", "nowhere", "--", "true"], 125, "SANDBOX_NOT_FOUND"],
      [
        "a directory that is not there",
        ["exec", "-w", "/nowhere", "box", "pwd"],
        125,
        "DIRECTORY_MISSING",
      ],
      [
        "a variable that is not set",
        ["exec", "-e", "UNSET", "box", "pwd"],
        125,
        "ENVIRONMENT_INVALID",
      ],
      ["a terminal where there is none", ["exec", "--tty", "box", "pwd"], 125, "USAGE"],
    ])("%s has a code, a hint and a status", async (_title, argv, ...[status, code]) => {
      const result = await cli.run(argv);
      expect([result.code, result.stdout]).toEqual([status, ""]);
      expect(result.stderr).toMatch(new RegExp(`^cattlegrid: .+\n  code: ${code}\n  hint: .+\n$`));
    });
  });

  describe("run", () => {
    test("finds the same sandbox for the same agent and folder, under any spelling of it", async () => {
      const link = join(cli.directory, "link");
      symlinkSync(cli.workspace, link);
      const print = ["--", "-c", "pwd; hostname"];
      const first = await cli.run(["run", "shell", cli.workspace, "--name", "box", ...print]);
      const second = await cli.run(["run", "shell", link, ...print]);
      expect(first.stdout).toBe(`${cli.workspace}\nbox\n`);
      expect(second.stdout).toBe(first.stdout);
    });

    test("shows by a dry run what it would run, and makes nothing", async () => {
      const dry = ["run", "shell", "--name", "unmade", "--dry-run"];
      const results = await Promise.all([
        cli.run([...dry, "--", "-c", "echo 'a b'"]),
        cli.run([...dry, "--replace", "--", "-x"]),
        cli.run(dry),
      ]);
      expect(results.map(({ stdout }) => JSON.parse(stdout) as unknown)).toEqual([
        ["bash", "-l", "-c", "echo 'a b'"],
        ["bash", "-x"],
        ["bash", "-l"],
      ]);
      expect((await cli.run(["inspect", "unmade"])).code).toBe(125);
    });

    test("keeps variables of -e for a sandbox it makes, and gives others to the session alone", async () => {
      const echo = ["--", "-c", 'echo "$MARK"'];
      const made = ["run", "shell", "--name", "marked"];
      expect((await cli.run([...made, "-e", "MARK=one", ...echo])).stdout).toBe("one\n");
      expect((await cli.run([...made, "-e", "MARK=two", ...echo])).stdout).toBe("two\n");
      expect((await cli.run([...made, ...echo])).stdout).toBe("one\n");
      expect((await cli.run(["rm", "marked"])).code).toBe(0);
    });

    test("--rm leaves nothing", async () => {
      const result = await cli.run([
        "run",
        "shell",
        "--name",
        "brief",
        "--rm",
        "--",
        "-c",
        "exit 4",
      ]);
      expect(result.code).toBe(4);
      await expect
        .poll(async () => (await cli.run(["inspect", "brief"])).stderr)
        .toContain("SANDBOX_NOT_FOUND");
    });

    test("--detach prints the session's id, which then goes on", async () => {
      const script = "echo done > detached.txt; sleep 60";
      const result = await cli.run(["run", "--name", "box", "--detach", "--", "-c", script]);
      expect(result.stdout).toMatch(/^[0-9a-f-]{36}\n$/);
      const written = join(cli.workspace, "detached.txt");
      await expect.poll(() => existsSync(written), { timeout: 10_000 }).toBe(true);
      const refused = await cli.run(["rm", "box"]);
      expect(refused.stderr).toContain("code: SANDBOX_BUSY");
    });

    test.each([
      ["an agent that is not there", ["run", "nobody"], "AGENT_UNKNOWN"],
      ["no agent and nobody to ask", ["run"], "USAGE"],
      ["a workspace that is not there", ["run", "shell", "/no/where"], "WORKSPACE_MISSING"],
      ["the root directory", ["run", "shell", "/"], "WORKSPACE_FORBIDDEN"],
      ["a name of another agent's sandbox", ["create", "kiro", "--name", "box"], "NAME_IN_USE"],
      [
        "a clone of what is no repository",
        ["create", "shell", "--mode", "clone", "--name", "x1"],
        "WORKSPACE_NOT_CLONABLE",
      ],
      [
        "a policy that is none",
        ["create", "shell", "--policy", "lax", "--name", "x2"],
        "POLICY_UNKNOWN",
      ],
      [
        "a policy file that is missing",
        ["create", "shell", "--policy", "./p.yaml", "--name", "x3"],
        "POLICY_UNKNOWN",
      ],
      ["a name with a slash", ["create", "shell", "--name", "a/b"], "NAME_INVALID"],
      ["keys that are none", ["run", "shell", "--detach-keys", "banana"], "USAGE"],
      [
        "a credential on the command line",
        ["create", "kiro", "-e", "KIRO_API_KEY=x"],
        "ENVIRONMENT_INVALID",
      ],
    ])("refuses %s with 125 and a code", async (_title, argv, code) => {
      const { code: status, stdout, stderr } = await cli.run(argv);
      expect([status, stdout]).toEqual([125, ""]);
      expect(stderr).toContain(`\n  code: ${code}\n`);
    });

    test("tells the line of a mistake in a policy and in the settings", async () => {
      writeFileSync(join(cli.workspace, "bad.yaml"), "allow:\n  - host: [\n");
      const policy = await cli.run(["create", "shell", "--name", "x4", "--policy", "bad.yaml"]);
      expect(policy.stderr).toMatch(/bad\.yaml:\d+[^]*code: POLICY_INVALID/);
      const settings = join(cli.paths.stateDirectory, "config.yaml");
      writeFileSync(settings, "mode: direct\nmood: bad\n");
      const config = await cli.run(["create", "shell", "--name", "x5"]);
      writeFileSync(settings, "");
      expect(config.stderr).toMatch(/config\.yaml:2:1: [^]*code: CONFIG_INVALID/);
    });

    test("reads mirrors from the calling shell", async () => {
      const environment = { CATTLEGRID_MIRRORS: "example.com:443=127.0.0.1" };
      const { stderr } = await cli.run(["create", "shell", "--name", "x6"], { environment });
      expect(stderr).toContain("code: MIRROR_INVALID");
      const missing = {
        CATTLEGRID_MIRRORS: "a.example:443=127.0.0.1:1",
        CATTLEGRID_MIRROR_CA: "/no/ca",
      };
      const result = await cli.run(["create", "shell", "--name", "x6"], { environment: missing });
      expect(result.stderr).toMatch(/\/no\/ca[^]*code: MIRROR_INVALID/);
    });
  });

  describe("looking", () => {
    test("ls, inspect and version are JSON when asked, on standard output alone", async () => {
      const verbs = [["ls"], ["inspect", "box"], ["version"], ["daemon", "status"], ["doctor"]];
      for (const verb of verbs) {
        const { code, stdout, stderr } = await cli.run([...verb, "--json"]);
        expect([verb[0], code, stderr]).toEqual([verb[0], 0, ""]);
        expect(JSON.parse(stdout)).toBeTypeOf("object");
      }
    });

    test("logs show a refusal in under a second, with its reason", async () => {
      const curl = ["exec", "box", "--", "python3", "-c", REFUSED];
      const startedAtMs = performance.now();
      const { stdout } = await cli.run(curl);
      expect(stdout).toBe("refused\n");
      expect(performance.now() - startedAtMs).toBeLessThan(5000);
      await expect
        .poll(async () => (await cli.run(["logs", "box", "--egress", "--json"])).stdout)
        .toContain('"name":"refused.example"');
      const { stdout: text } = await cli.run(["logs", "box", "--egress"]);
      expect(text).toMatch(/ dns +deny +refused\.example/);
    });

    test("a verb with a slip of the finger is guessed, one without is refused", async () => {
      expect((await cli.run(["isnpect", "box"])).stderr).toContain(
        "Did you mean `cattlegrid inspect`?",
      );
      expect((await cli.run(["exec", "--wrokdir", "/", "box", "pwd"])).stderr).toContain(
        "--workdir?",
      );
      expect(await cli.run([])).toMatchObject({ code: 125, stdout: "" });
    });

    test("each verb explains itself with an example", async () => {
      const overview = (await cli.run(["--help"])).stdout;
      const verbs = [...overview.matchAll(/^ {2}([a-z-]+) {2,}/gm)].map((match) => match[1]!);
      expect(verbs).toEqual(Object.keys(VERBS));
      for (const verb of verbs) {
        expect((await cli.run([verb, "--help"])).stdout).toMatch(
          /\nUsage: [^]+\nExample: .*cattlegrid /,
        );
      }
    });
  });

  describe("life", () => {
    test("stop keeps what start finds again", async () => {
      await cli.run(["exec", "box", "--", "sh", "-c", "echo kept > ~/kept"]);
      expect((await cli.run(["stop", "box"])).code).toBe(0);
      expect((await cli.run(["exec", "box", "true"])).stderr).toContain("SANDBOX_NOT_RUNNING");
      expect((await cli.run(["start", "box"])).code).toBe(0);
      const { stdout } = await cli.run(["exec", "box", "--", "sh", "-c", "cat ~/kept"]);
      expect(stdout).toBe("kept\n");
    });

    test("of several names each is tried, and the first failure gives the status", async () => {
      await cli.run(["create", "shell", "--name", "other"]);
      const result = await cli.run(["rm", "nowhere", "other"]);
      expect([result.code, result.stderr]).toEqual([
        125,
        expect.stringContaining("other is removed"),
      ]);
      expect((await cli.run(["rm", "--force", "nowhere"])).code).toBe(0);
    });

    test("reset refuses a directory of somebody else's", async () => {
      const other = join(cli.directory, "other");
      mkdirSync(other);
      writeFileSync(join(other, "thesis.txt"), "years of work");
      const environment = { CATTLEGRID_HOME: other };
      const { code, stderr } = await cli.run(["reset", "--yes"], { environment });
      expect([code, stderr]).toEqual([125, expect.stringContaining("STATE_NOT_OURS")]);
      expect(existsSync(join(other, "thesis.txt"))).toBe(true);
    });

    test("reset asks, and without anybody to ask wants to be told", async () => {
      expect((await cli.run(["reset"])).stderr).toContain("wants --yes");
    });
  });
});

const REFUSED = `
import socket
try:
    socket.create_connection(("refused.example", 443), 5)
    print("connected")
except OSError:
    print("refused")
`;
