import { execFileSync } from "node:child_process";
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync } from "node:fs";
import { readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";

/** A throw-away user of this machine with a copy of the clone; owned by whoever made it, until `remove`. */
export interface OrdinaryUser {
  readonly name: string;
  readonly uid: number;
  readonly clone: string;
  /** A clean environment: nothing of the caller's, a home and a runtime directory of its own. */
  readonly environment: Readonly<Record<string, string>>;
  /** Puts the arguments behind the command that drops root for good. */
  wrap(argv: readonly string[]): string[];
  /** Ends what still runs as this user and removes user and files. Returns what was left running. */
  remove(): string[];
}

/** `subordinateIds`: 65536 that are the user's alone. Default: none, as what runs under them may belong to another's range. */
export function makeOrdinaryUser(
  root: string,
  { subordinateIds = false }: { subordinateIds?: boolean } = {},
): OrdinaryUser {
  const count = subordinateIds ? 65_536 : 0;
  const name = `cattlegrid-test-${process.pid}`;
  // Below /tmp because a socket's path holds 108 bytes at most.
  const base = mkdtempSync("/tmp/cattlegrid-test-");
  const clone = join(base, "clone");
  try {
    run("useradd", [
      "--no-create-home",
      "--home-dir",
      join(base, "home"),
      "--shell",
      "/bin/sh",
      "-K",
      `SUB_UID_COUNT=${count}`,
      "-K",
      `SUB_GID_COUNT=${count}`,
      name,
    ]);
    const uid = Number(run("id", ["-u", name]));
    const gid = Number(run("id", ["-g", name]));
    copyClone(root, clone);
    for (const folder of ["home", "runtime", "temporary"]) mkdirSync(join(base, folder));
    run("chown", [
      "-R",
      `${uid}:${gid}`,
      join(base, "home"),
      join(base, "runtime"),
      join(base, "temporary"),
    ]);
    chmodSync(base, 0o755);
    chmodSync(join(base, "runtime"), 0o700);
    shareClone(clone, { uid, gid });
    return {
      name,
      uid,
      clone,
      environment: describeEnvironment(base, { name, clone }),
      wrap: (argv) => ["setpriv", `--reuid=${uid}`, `--regid=${gid}`, "--clear-groups", ...argv],
      remove: () => removeUser(name, { uid, base }),
    };
  } catch (error) {
    removeUser(name, { base });
    throw error;
  }
}

function describeEnvironment(
  base: string,
  { name, clone }: { name: string; clone: string },
): Record<string, string> {
  const display = ["TERM", "NO_COLOR", "FORCE_COLOR", "CI"].flatMap((variable) => {
    const value = process.env[variable];
    return value === undefined ? [] : [[variable, value] as const];
  });
  return {
    ...Object.fromEntries(display),
    PATH: `${clone}/node_modules/.bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
    HOME: join(base, "home"),
    USER: name,
    LOGNAME: name,
    SHELL: "/bin/sh",
    LANG: "C.UTF-8",
    TMPDIR: join(base, "temporary"),
    XDG_RUNTIME_DIR: join(base, "runtime"),
    CATTLEGRID_HOME: join(base, "home", "state"),
  };
}

/** Copies what git would commit, and the packages as hard links: 300 MB in about a second. */
function copyClone(root: string, clone: string): void {
  mkdirSync(clone);
  const listed = run("git", ["-C", root, "ls-files", "-co", "--exclude-standard", "-z"]);
  const files = listed.split("\0").filter((path) => path !== "" && existsSync(join(root, path)));
  execFileSync("tar", ["-C", clone, "-xf", "-"], {
    input: execFileSync("tar", ["-C", root, "--null", "-T", "-", "-cf", "-"], {
      input: files.join("\0"),
      maxBuffer: 2 ** 30,
    }),
  });
  const packages = join(root, "node_modules");
  const canLink = statSync(packages).dev === statSync(clone).dev;
  run("cp", [canLink ? "-al" : "-a", packages, clone]);
  for (const cache of [".vite", ".vite-temp"]) {
    rmSync(join(clone, "node_modules", cache), { recursive: true, force: true });
  }
}

/** Gives the copy to the user, except the packages: their files may be the originals' own inodes. */
function shareClone(clone: string, { uid, gid }: { uid: number; gid: number }): void {
  const own = readdirSync(clone).filter((entry) => entry !== "node_modules");
  run("chown", ["-R", `${uid}:${gid}`, ...own.map((entry) => join(clone, entry))]);
  chownSync(clone, uid, gid);
  // The test runner keeps its cache in this directory; nothing in it is shared but what was linked.
  chownSync(join(clone, "node_modules"), uid, gid);
}

function removeUser(name: string, { uid, base }: { uid?: number; base: string }): string[] {
  const left = uid === undefined ? [] : listLasting(uid);
  for (const { pid } of left) killIfThere(pid);
  if (/^cattlegrid-test-\d+:/m.test(readFileSync("/etc/passwd", "utf8"))) {
    run("userdel", ["--force", name]);
  }
  rmSync(base, { recursive: true, force: true });
  return left.map(({ pid, command }) => `${pid} ${command}`);
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** What is still there after a second: processes that are about to end are nobody's leak. */
function listLasting(uid: number): { pid: number; command: string }[] {
  if (listProcesses(uid).length === 0) return [];
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000);
  return listProcesses(uid);
}

function listProcesses(uid: number): { pid: number; command: string }[] {
  return readdirSync("/proc").flatMap((entry) => {
    if (!/^\d+$/.test(entry)) return [];
    const status = readIfThere(`/proc/${entry}/status`);
    const owner = Number(/^Uid:\s+(\d+)/m.exec(status)?.[1] ?? -1);
    if (owner !== uid) return [];
    if (/^State:\s+Z/m.test(status)) return [];
    const command = readIfThere(`/proc/${entry}/cmdline`).replaceAll("\0", " ").trim();
    return [{ pid: Number(entry), command }];
  });
}

/** A process may end between the listing and the reading. */
function readIfThere(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ESRCH") return "";
    throw error;
  }
}

function run(program: string, argv: readonly string[]): string {
  return execFileSync(program, argv, {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  }).trim();
}
