import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runProcess } from "../../src/platform/process.ts";

/**
 * Below `root`, repositories for a forge: `tools.git` with the branch `release/1`, the tag `v1` and one commit that neither
 * names, which is returned; `trap.git`, whose files would run `marker` by hooks, filters and submodules.
 */
export async function makeRepositories(root: string, marker: string): Promise<string> {
  const commit = await makeTools(root);
  await makeTrap(root, marker);
  return commit;
}

async function makeTools(root: string): Promise<string> {
  const work = join(root, "tools-work");
  const write = async (text: string): Promise<string> => {
    writeFileSync(join(work, "which"), `${text}\n`);
    await git(work, "add", ".");
    await git(work, "commit", "-qm", text);
    return git(work, "rev-parse", "HEAD");
  };
  mkdirSync(work);
  await git(work, "init", "-q", "-b", "main");
  await write("first");
  await git(work, "tag", "-a", "v1", "-m", "first");
  const between = await write("between");
  await write("main");
  await git(work, "checkout", "-q", "-b", "release/1", "v1");
  await write("release");
  await git(work, "checkout", "-q", "main");
  await git(root, "clone", "-q", "--bare", work, "tools.git");
  await git(root, "clone", "-q", "--bare", work, "private.git");
  return between;
}

async function makeTrap(root: string, marker: string): Promise<void> {
  const work = join(root, "trap-work");
  mkdirSync(join(work, "hooks"), { recursive: true });
  await git(work, "init", "-q", "-b", "main");
  for (const name of ["post-checkout", "post-merge"]) {
    writeFileSync(join(work, "hooks", name), `#!/bin/sh\ntouch '${marker}'\n`);
    chmodSync(join(work, "hooks", name), 0o755);
  }
  writeFileSync(join(work, ".gitattributes"), "* filter=trap diff=trap merge=trap\n");
  const command = `touch '${marker}'`;
  writeFileSync(join(work, "config"), `[core]\n\thooksPath = hooks\n\tfsmonitor = ${command}\n`);
  const submodule = `[submodule "trap"]\n\tpath = trap\n\turl = ext::sh -c ${marker}\n\tupdate = !${command}\n`;
  writeFileSync(join(work, ".gitmodules"), submodule);
  await git(work, "add", ".");
  const nothing = "0123456789012345678901234567890123456789";
  await git(work, "update-index", "--add", "--cacheinfo", `160000,${nothing},trap`);
  await git(work, "commit", "-qm", "trap");
  await git(root, "clone", "-q", "--bare", work, "trap.git");
}

async function git(cwd: string, ...argv: readonly string[]): Promise<string> {
  const environment = {
    PATH: process.env["PATH"] ?? "/usr/bin:/bin",
    HOME: cwd,
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_AUTHOR_NAME: "Ada",
    GIT_AUTHOR_EMAIL: "ada@example.com",
    GIT_COMMITTER_NAME: "Ada",
    GIT_COMMITTER_EMAIL: "ada@example.com",
  };
  const { code, stdout, stderr } = await runProcess(["git", ...argv], { cwd, environment });
  if (code !== 0) throw new TypeError(`git ${argv.join(" ")}: ${stderr}`);
  return stdout.trim();
}
