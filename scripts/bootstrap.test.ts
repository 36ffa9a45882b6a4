import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync } from "node:fs";
import { rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";

const ROOT = join(import.meta.dirname, "..");
const LOCK = JSON.stringify({ packages: { "": {}, "node_modules/a": { version: "1.0.0" } } });

let tree = "";

beforeEach(() => {
  tree = mkdtempSync(join(tmpdir(), "bootstrap-"));
  onTestFinished(() => rmSync(tree, { recursive: true }));
  for (const folder of ["bin", "scripts", "src/cli", "node_modules/node/bin", "home", "programs"]) {
    mkdirSync(join(tree, folder), { recursive: true });
  }
  for (const path of ["bin/cattlegrid", "scripts/bootstrap.sh", "scripts/is-installed.mjs"]) {
    copyFileSync(join(ROOT, path), join(tree, path));
  }
  writeFileSync(join(tree, "package.json"), '{"type":"module"}');
  writeFileSync(join(tree, "package-lock.json"), LOCK);
  writeFileSync(join(tree, "node_modules/.package-lock.json"), LOCK);
  writeFileSync(join(tree, "src/cli/main.ts"), "console.log(process.argv.slice(2));");
  symlinkSync(process.execPath, join(tree, "node_modules/node/bin/node"));
});

/** Puts a program of this name before the machine's own. */
function putProgram(name: string, script: string): void {
  const path = join(tree, "programs", name);
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
}

/** A PATH with the machine's programs except these, whose absence must then be noticed. */
function linkProgramsExcept(...absent: readonly string[]): void {
  for (const folder of ["/usr/bin", "/usr/sbin", "/bin"]) {
    for (const name of readdirSync(folder)) {
      const path = join(tree, "programs", name);
      if (!absent.includes(name) && !existsSync(path)) symlinkSync(join(folder, name), path);
    }
  }
}

function run(program: string, ...argv: string[]) {
  const env = { PATH: join(tree, "programs"), HOME: join(tree, "home"), TMPDIR: tmpdir() };
  const { status, stdout, stderr } = spawnSync(program, argv, { env, encoding: "utf8" });
  return { status, stdout, stderr };
}

function bootstrap(...argv: string[]) {
  return run("/bin/sh", join(tree, "scripts/bootstrap.sh"), ...argv);
}

describe("the bootstrap", () => {
  test("says and does nothing when everything is there", () => {
    linkProgramsExcept();
    const result = bootstrap();
    expect(result).toEqual({ status: 0, stdout: "", stderr: "" });
  });

  test("without root prints the exact command for exactly what is missing, and stops", () => {
    putProgram("id", "echo 1000");
    putProgram("apt-get", "exit 1");
    linkProgramsExcept("unzip", "tmux");
    const { status, stdout, stderr } = bootstrap();
    expect([status, stdout]).toEqual([125, ""]);
    expect(stderr).toContain("\n  sudo apt-get install -y --no-install-recommends unzip\n");
    expect(bootstrap("--test").stderr).toContain("--no-install-recommends unzip tmux\n");
  });

  test("as root installs exactly what is missing, saying what", () => {
    const calls = join(tree, "calls");
    putProgram("id", "echo 0");
    putProgram("apt-get", `echo "$DEBIAN_FRONTEND $*" >>${calls}`);
    linkProgramsExcept("unzip");
    const { status, stderr } = bootstrap();
    expect(status).toBe(0);
    expect(stderr).toContain("installing system packages: unzip");
    const install = execFileSync("tail", ["-n", "1", calls], { encoding: "utf8" });
    expect(install).toMatch(/^noninteractive .*install -y --no-install-recommends unzip\n$/);
  });

  test("without apt names what is missing, and stops", () => {
    linkProgramsExcept("unzip", "apt-get");
    const { status, stderr } = bootstrap();
    expect(status).toBe(125);
    expect(stderr).toContain("missing (named as Debian packages): unzip");
  });

  test("runs npm ci when a package is missing or of another version", () => {
    linkProgramsExcept("npm");
    putProgram("npm", `echo "npm $*"; cp package-lock.json node_modules/.package-lock.json`);
    writeFileSync(join(tree, "package-lock.json"), LOCK.replace("1.0.0", "1.0.1"));
    const first = bootstrap();
    expect([first.status, first.stdout]).toEqual([0, ""]);
    expect(first.stderr).toContain("npm ci");
    expect(bootstrap().stderr).toBe("");
  });
});

describe("the launcher", () => {
  test("bootstraps on first use and after package-lock.json changed, on stderr only", () => {
    linkProgramsExcept("npm");
    putProgram("npm", `echo "npm $*"; cp package-lock.json node_modules/.package-lock.json`);
    rmSync(join(tree, "node_modules/.package-lock.json"));
    const launcher = join(tree, "bin/cattlegrid");
    const first = run(launcher, "a b", "c");
    expect([first.status, first.stdout]).toEqual([0, "[ 'a b', 'c' ]\n"]);
    expect(first.stderr).toContain("npm ci");
    expect(run(launcher)).toEqual({ status: 0, stdout: "[]\n", stderr: "" });
    writeFileSync(join(tree, "package-lock.json"), LOCK.replace("1.0.0", "1.0.1"));
    utimesSync(join(tree, "package-lock.json"), new Date(), new Date(Date.now() + 10_000));
    expect(run(launcher).stderr).toContain("npm ci");
  });

  test("finds its checkout through symbolic links, relative and absolute", () => {
    linkProgramsExcept();
    symlinkSync(join(tree, "bin/cattlegrid"), join(tree, "home/absolute"));
    symlinkSync("absolute", join(tree, "home/relative"));
    expect(run(join(tree, "home/relative"), "x").stdout).toBe("[ 'x' ]\n");
  });

  test("what explains a missing part starts without it; the rest stops with 125", () => {
    putProgram("id", "echo 1000");
    linkProgramsExcept("unzip");
    const launcher = join(tree, "bin/cattlegrid");
    expect(run(launcher, "doctor")).toMatchObject({ status: 0, stdout: "[ 'doctor' ]\n" });
    expect(run(launcher, "run")).toMatchObject({ status: 125, stdout: "" });
  });

  test("keeps its compile cache in a private directory of its user, and none for reset", () => {
    linkProgramsExcept();
    writeFileSync(join(tree, "src/cli/main.ts"), "console.log(process.env.NODE_COMPILE_CACHE);");
    const launcher = join(tree, "bin/cattlegrid");
    const folder = join(tree, "home/.cache/cattlegrid/compiled");
    expect(run(launcher, "reset").stdout).toBe("undefined\n");
    expect(run(launcher, "ls").stdout).toBe(`${folder}\n`);
    expect(execFileSync("stat", ["-c", "%a", folder], { encoding: "utf8" })).toBe("700\n");
  });

  test("refuses a Node.js that is too old, and remembers one that is not", () => {
    linkProgramsExcept("node");
    rmSync(join(tree, "node_modules"), { recursive: true });
    rmSync(join(tree, "src"), { recursive: true });
    mkdirSync(join(tree, "dist/cli"), { recursive: true });
    writeFileSync(join(tree, "dist/cli/main.js"), "console.log(1);");
    const launcher = join(tree, "bin/cattlegrid");
    expect(run(launcher)).toMatchObject({
      status: 125,
      stderr: expect.stringContaining("found none"),
    });
    putProgram("node", "echo v20.20.2");
    expect(run(launcher).stderr).toContain("needs Node.js 24 or newer; found v20.20.2");
    putProgram("node", `echo "$1" >>${tree}/calls; [ "$1" = --version ] && echo v24.1.0; exit 0`);
    // A clock tick may hold both this file and the launcher's note about it.
    utimesSync(join(tree, "programs/node"), new Date(0), new Date(0));
    expect([run(launcher).status, run(launcher).status]).toEqual([0, 0]);
    const calls = execFileSync("grep", ["-c", "--", "--version", `${tree}/calls`]);
    expect(String(calls)).toBe("1\n");
  });
});
