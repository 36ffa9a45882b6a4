import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, realpathSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { createLocalProvider } from "../../src/sandbox/providers/local/provider.ts";
import { answer, NEVER } from "../../src/testing/conformance/sandbox-yard.ts";
import { allOf, program, root as asRoot } from "../support/requirement.ts";
import { SandboxYard } from "../support/sandbox-yard.ts";

const NEEDED = allOf(asRoot(), program("crun"), program("unshare"), program("git"));
const AGENT = { name: "Ada", email: "ada@example.org" };

describe.skipIf(!NEEDED.met)(NEEDED.title("a clone of another account's repository"), () => {
  test("comes back as that account's branch, or says that the account cannot reach it", async () => {
    const root = realpathSync(mkdtempSync(join(tmpdir(), "cg-clone-")));
    const provider = createLocalProvider({
      stateDirectory: join(root, "state"),
      runtimeDirectory: join(root, "run"),
    });
    const yard = await SandboxYard.open({ providers: [provider] }, root);
    try {
      const project = yard.workspace;
      writeFileSync(join(project, "a.txt"), "one\n");
      const identity = `-c user.name=${AGENT.name} -c user.email=${AGENT.email}`;
      const first = `git init -q; git add --all; git ${identity} commit -qm first`;
      execFileSync("sh", ["-ec", `${first}; chown -R 4321:4322 .`], { cwd: project });
      const id = await yard.make({ workspace: project, mode: "clone", gitIdentity: AGENT });
      await yard.run(id);
      const sandbox = await yard.sandboxes.running(id);
      await answer(sandbox, "echo b >b.txt; git add --all; git commit -qm work");
      const branches = join(project, ".git/refs/heads/cattlegrid");

      chmodSync(root, 0o700);
      const failure = await yard.sandboxes.fetch(id, [], NEVER).catch((error: unknown) => error);
      expect(failure).toMatchObject({ code: "CLONE_OWNER_SHUT_OUT", details: { uid: 4321 } });
      expect(existsSync(branches)).toBe(false);

      chmodSync(root, 0o755);
      const { branch } = await yard.sandboxes.fetch(id, [], NEVER);
      const { uid, gid } = statSync(join(project, ".git/refs/heads", String(branch)));
      expect([uid, gid]).toEqual([4321, 4322]);
    } finally {
      await yard.close();
      yard.remove();
    }
  });
});
