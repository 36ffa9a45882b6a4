import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { allOf, program, root } from "../support/requirement.ts";

const ROOT = join(import.meta.dirname, "../..");
const canPivot = allOf(root(), program("crun"), program("unshare"), program("pivot_root"));

/**
 * Becomes another root file system: the system's own programs and libraries, /etc, and nothing of Node.js, of npm, of this checkout or of
 * anybody's home. Not `chroot`, in which the kernel lets nobody make a user namespace.
 */
const ELSEWHERE = `
  set -e
  mount --make-rprivate /
  mount -t tmpfs root "$NEW"
  cd "$NEW"
  mkdir -p usr etc proc sys dev tmp run root home old opt
  mkdir upper work
  mount -t overlay -o lowerdir=/usr,upperdir=upper,workdir=work usr usr
  rm -rf usr/local usr/bin/node usr/bin/nodejs usr/bin/npm usr/bin/npx usr/lib/node_modules
  for name in bin lib lib64 sbin; do [ -h /$name ] && ln -s usr/$name $name; done
  cp -a /etc/. etc
  mount --rbind /sys sys
  mount --rbind /dev dev
  mkdir archive
  mount --bind "$ARCHIVES" archive
  pivot_root . old
  cd /
  mount -t proc proc /proc
  umount -l /old
`;

describe.skipIf(!canPivot.met)(canPivot.title("the self-contained archive"), () => {
  const directory = mkdtempSync(join(tmpdir(), "cg-tarball-"));
  let archive: string;
  beforeAll(() => {
    const script = join(ROOT, "scripts/tarball.ts");
    archive = execFileSync(process.execPath, [script], { cwd: ROOT, encoding: "utf8" }).trim();
    mkdirSync(join(directory, "new"));
  }, 300_000);
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  function runElsewhere(script: string): string {
    const file = join(directory, "script.sh");
    writeFileSync(file, `${ELSEWHERE}\n${script}`);
    const { stdout, stderr, status } = spawnSync(
      "unshare",
      ["--mount", "--pid", "--fork", "sh", file],
      {
        encoding: "utf8",
        env: {
          PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
          HOME: "/root",
          NEW: join(directory, "new"),
          ARCHIVES: join(ROOT, "dist"),
        },
      },
    );
    if (status !== 0) throw new Error(`status ${String(status)}: ${stdout}\n${stderr}`);
    return stdout;
  }

  test("runs a sandbox on a machine without Node.js, and leaves nothing when it is removed", () => {
    const name = archive.split("/").at(-1) ?? "";
    const output = runElsewhere(`
      if node --version 2>/dev/null; then echo "there is a Node.js"; fi
      mkdir -p /root/.local/bin /root/project
      tar -C /root/.local -xf '/archive/${name}'
      ln -s /root/.local/cattlegrid/bin/cattlegrid /root/.local/bin/cattlegrid
      export PATH=/root/.local/bin:$PATH
      cd /root/project
      cattlegrid version
      cattlegrid run shell --name box -- -c 'echo "inside $(id -un)" | tee made'
      cat made
      cattlegrid exec box -- sh -c 'command -v git > /dev/null && echo has git'
      cattlegrid completion bash -- exec b
      cattlegrid reset --yes
      ls /root/.local/share/cattlegrid 2>/dev/null || echo nothing left
    `);
    expect(output).not.toContain("there is a Node.js");
    expect(output).toMatch(/^cattlegrid \d+\.\d+\.\d+\nNode\.js {4}24\./);
    expect(output).toMatch(/inside agent\ninside agent\nhas git\nbox\nnothing left\n$/);
  });
});
