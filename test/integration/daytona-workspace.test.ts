import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { FakeDaytona } from "../../simulator/daytona/daytona.ts";
import { PROVIDERS } from "../../src/daemon/plugins.ts";
import { CommandLine } from "../support/command-line.ts";
import { DAYTONA_NEEDS, openFakeDaytona } from "../support/fake-daytona.ts";
import { allOf, program, requirement } from "../support/requirement.ts";

const provider = requirement("the sandbox provider daytona", () =>
  PROVIDERS.some(({ id }) => id === "daytona") ? undefined : "not among this program's",
);
const needs = allOf(provider, DAYTONA_NEEDS, program("git"));

describe.skipIf(!needs.met)(needs.title("a workspace at Daytona, simulated"), () => {
  let daytona: FakeDaytona;
  let cli: CommandLine;
  beforeAll(async () => {
    daytona = await openFakeDaytona();
    cli = new CommandLine();
    Object.assign(cli.environment, { DAYTONA_API_URL: daytona.url, DAYTONA_API_KEY: daytona.key });
    host("f", "one\ntwo\nthree\n");
    host("odd\nname", "x\n");
    host(".gitignore", ".env\n");
    git("init", "-q", "--template=");
    git("add", "-A");
    git("-c", "user.name=x", "-c", "user.email=x@y", "commit", "-qm", "first");
    host(".env", "PASSWORD=canary\n");
  });
  afterAll(async () => {
    await cli.close();
    await daytona[Symbol.asyncDispose]();
  });

  const at = (path: string): string => join(cli.workspace, path);
  const host = (path: string, text: string): void => {
    mkdirSync(dirname(at(path)), { recursive: true });
    writeFileSync(at(path), text);
  };
  const git = (...args: readonly string[]): void =>
    void execFileSync("git", ["-C", cli.workspace, ...args]);
  const run = (...words: readonly string[]): ReturnType<CommandLine["run"]> => cli.run(words);

  test("the tracked files are there and `.env` is not; the host changes with `apply` and not before", async () => {
    const flags = ["--provider", "daytona", "--policy", "locked", "--name", "box"];
    const script = "pwd; ls -A; git status --porcelain; sed -i s/two/TWO/ f; rm odd*; echo n >new";
    const made = await run("run", "shell", ...flags, "--", "-c", script);
    expect(made).toMatchObject({ code: 0 });
    expect(made.stderr).toContain("Sending what git tracks of");
    expect(made.stdout).toBe(`${cli.workspace}\n.git\n.gitignore\nf\nodd\nname\n`);
    expect(readFileSync(at("f"), "utf8")).toBe("one\ntwo\nthree\n");
    const { stdout } = await run("diff", "box", "--stat");
    expect(stdout).toContain("3 paths changed");
    await run("stop", "box");
    const [sandbox] = daytona.sandboxes.list();
    if (sandbox === undefined) throw new TypeError("nothing at the service");
    await daytona.sandboxes.destroy(sandbox);
    // What was brought out stays; the next sandbox gets it over the user's files.
    expect((await run("start", "box")).code).toBe(0);
    expect((await run("exec", "box", "--", "cat", "f", "new")).stdout).toBe("one\nTWO\nthree\nn\n");
    const applied = await run("apply", "box");
    expect(applied.stdout).toBe("modified f\nadded new\n");
    expect(applied.stderr).toContain("odd");
    expect(readFileSync(at("f"), "utf8")).toBe("one\nTWO\nthree\n");
    expect(readFileSync(at(".env"), "utf8")).toBe("PASSWORD=canary\n");
    expect((await run("rm", "--force", "box")).code).toBe(0);
    expect(daytona.sandboxes.list()).toEqual([]);
  });
});
