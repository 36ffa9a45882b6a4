/** Root inside, where an ordinary user with subordinate ids runs the sandbox: one of these. */
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makeOrdinaryUser } from "../../scripts/ordinary-user.ts";
import { runProcess } from "../../src/platform/process.ts";
import { DEBIAN, makeDebianBase } from "../support/debian-base.ts";
import { openPackageSource, SOURCE_LINE, type PackageSource } from "../support/package-source.ts";
import { allOf, program } from "../support/requirement.ts";

const PROGRAMS = ["crun", "unshare", "newuidmap", "useradd", "setpriv", "dpkg-deb", "gpg"];
const needed = allOf(...PROGRAMS.map(program), DEBIAN);

interface Told {
  built: unknown;
  said: string;
  kept: { bases: number; roots: number };
  left: string[];
}

describe.skipIf(!needed.met)(needed.title("packages of apt, installed by an ordinary user"), () => {
  let directory: string;
  let source: PackageSource;
  let archive: string;
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), "cg-subordinate-"));
    chmodSync(directory, 0o755);
    source = await openPackageSource(directory);
    archive = await makeDebianBase(directory, {
      "etc/apt/sources.list": SOURCE_LINE,
      "usr/share/keyrings/tiny.gpg": source.key,
    });
  });
  afterAll(async () => {
    await source[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true });
  });

  /** Runs the script as a user who is gone afterwards, with everything of the user's. */
  async function tell(): Promise<Told> {
    const user = makeOrdinaryUser(join(import.meta.dirname, "../.."), { subordinateIds: true });
    try {
      const node = join(user.clone, "node_modules/node/bin/node");
      const script = join(user.clone, "test/support/apt-as-user.ts");
      const argv = user.wrap([node, script, archive, source.mirrors]);
      const { code, stdout, stderr } = await runProcess(argv, {
        cwd: user.clone,
        environment: user.environment,
      });
      expect([code, code === 0 ? "" : stderr]).toEqual([0, ""]);
      expect(readdirSync(String(user.environment["TMPDIR"]))).toEqual([]);
      return JSON.parse(stdout) as Told;
    } finally {
      expect(user.remove()).toEqual([]);
      expect(existsSync(user.clone)).toBe(false);
    }
  }

  test("are as root installed them, and the user's again to remove", async () => {
    const { built, said, kept, left } = await tell();
    expect(built).toEqual([expect.any(String), expect.any(String)]);
    expect(said.split("\n")).toEqual([
      "agent",
      "mine",
      "tiny from apt",
      "ii ",
      "tiny tiny 2750",
      "root root 755",
      "root root 755",
      "agent agent 644",
      expect.stringContaining("Permission denied"),
      expect.stringMatching(/Permission denied|Operation not permitted/),
      "3",
      "0000000000000000",
      "NoNewPrivs:\t1",
    ]);
    expect(kept).toEqual({ bases: 1, roots: 2 });
    expect(left).toEqual([]);
  }, 300_000);
});
