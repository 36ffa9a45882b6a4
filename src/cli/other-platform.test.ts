import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { VERBS } from "./verbs.ts";

const HOOK = join(import.meta.dirname, "../../test/support/other-platform.mjs");
const MAIN = join(import.meta.dirname, "main.ts");

describe("on a platform that is not Linux", () => {
  const home = mkdtempSync(join(tmpdir(), "cg-elsewhere-"));
  afterAll(() => rmSync(home, { recursive: true }));

  function run(...argv: readonly string[]): {
    status: number | null;
    stdout: string;
    stderr: string;
  } {
    const environment = {
      PATH: process.env["PATH"] ?? "",
      HOME: home,
      CATTLEGRID_HOME: join(home, "state"),
    };
    const words = ["--import", HOOK, MAIN, ...argv];
    return spawnSync(process.execPath, words, { encoding: "utf8", env: environment, cwd: home });
  }

  test("every verb loads and shows its page", () => {
    // One process for all: what they import is what counts.
    const script = `for (const [name, { load }] of Object.entries((await import(${JSON.stringify(join(import.meta.dirname, "verbs.ts"))})).VERBS)) console.log(name, (await load()).page.example !== "")`;
    const { stdout, stderr } = spawnSync(
      process.execPath,
      ["--import", HOOK, "--input-type=module", "-e", script],
      { encoding: "utf8" },
    );
    expect(stderr).toBe("");
    expect(stdout.trim().split("\n")).toEqual(Object.keys(VERBS).map((name) => `${name} true`));
  });

  test("tells its version", () => {
    expect(JSON.parse(run("version", "--json").stdout)).toMatchObject({ daemon: null });
  });

  test("doctor says why sandboxes cannot run, and where they can", () => {
    const { status, stdout } = run("doctor");
    expect(status).toBe(1);
    expect(stdout).toMatch(
      /^MISSING {2}platform {2}darwin .*Linux namespaces[^]*remedy: .*WSL2.*planned/,
    );
  });

  test("what needs a sandbox is refused with the way to the explanation", () => {
    const { status, stderr } = run("run", "shell");
    expect([status, stderr]).toEqual([
      125,
      "cattlegrid: Sandboxes need Linux; this is darwin.\n" +
        "  code: ISOLATION_UNAVAILABLE\n" +
        "  hint: `cattlegrid doctor` says what there is instead.\n",
    ]);
  });

  test("the hook does refuse what is for Linux alone", () => {
    const script = `await import(${JSON.stringify(join(import.meta.dirname, "../platform/native/libc.ts"))})`;
    const { status, stderr } = spawnSync(
      process.execPath,
      ["--import", HOOK, "--input-type=module", "-e", script],
      { encoding: "utf8" },
    );
    expect(status).toBe(1);
    expect(stderr).toContain("exists on Linux only");
  });
});
