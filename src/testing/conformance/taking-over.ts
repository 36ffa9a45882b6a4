import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { answer, SandboxYard, sh, type Subject } from "./sandbox-yard.ts";

/** Prepared sandboxes, of providers that state `warmPool`. */
export function describeTakingOver({ makeProvider }: Subject): void {
  describe("taking over a prepared sandbox", () => {
    let yard: SandboxYard;
    /** Elsewhere than the yard's, which lie below /tmp, which sandboxes have of their own. */
    let path: string;
    beforeAll(() => {
      yard = new SandboxYard(makeProvider);
      path = realpathSync(mkdtempSync(join(homedir(), "cg-taken-")));
    });
    afterAll(async () => {
      await yard.close();
      rmSync(path, { recursive: true });
    });

    test("gives it name, workspace, environment and git identity, and keeps nothing of what it was", async () => {
      writeFileSync(join(path, "old"), "before");
      const prepared = yard.specify({ name: "prepared", environment: { WAS: "prepared" } });
      const sandbox = await yard.startAs(prepared);
      await sandbox.takeOver?.({
        ...prepared,
        name: "taken",
        workspace: { path, mode: "direct" },
        environment: { IS: "mine" },
        gitIdentity: { name: "Ada", email: "ada@example.com" },
      });
      const line =
        "hostname; cat /etc/hostname; pwd; cat old; echo after >old; stat -c %U old; echo $IS,$WAS; git config user.name";
      expect((await answer(sandbox, line)).split("\n")).toEqual([
        "taken",
        "taken",
        path,
        "beforeagent",
        "mine,",
        "Ada",
      ]);
      expect(readFileSync(join(path, "old"), "utf8")).toBe("after\n");
      expect(await answer(sandbox, "grep -c prepared /etc/hosts /etc/gitconfig; env")).not.toMatch(
        /:[1-9]|prepared/,
      );
      await sandbox.stop();
    });

    test("protects what of the workspace is protected, and lets the rest be written", async () => {
      mkdirSync(join(path, ".git"));
      writeFileSync(join(path, ".git/config"), "kept");
      const prepared = yard.specify();
      const sandbox = await yard.startAs(prepared);
      await sandbox.takeOver?.({
        ...prepared,
        workspace: { path, mode: "direct" },
        protectedPaths: [join(path, ".git/config")],
      });
      const attack = "echo x >.git/config; mv .git g; rm -rf .git; echo x >.git/new";
      await sh(sandbox, attack);
      expect(readFileSync(join(path, ".git/config"), "utf8")).toBe("kept");
      expect(readFileSync(join(path, ".git/new"), "utf8")).toBe("x\n");
      await sandbox.stop();
    });

    test("lays a workspace also where the sandbox has a file system of its own", async () => {
      const temporary = yard.makeDirectory("deep/down");
      writeFileSync(join(temporary, "f"), "here");
      const prepared = yard.specify();
      const sandbox = await yard.startAs(prepared);
      await sandbox.takeOver?.({ ...prepared, workspace: { path: temporary, mode: "readonly" } });
      expect(await answer(sandbox, "pwd; cat f; echo x 2>&- >f || echo refused")).toBe(
        `${temporary}\nhererefused`,
      );
      await sandbox.stop();
    });

    test("refuses what can be had at a start only, and the same sandbox then starts so", async () => {
      const prepared = yard.specify();
      const sandbox = await yard.startAs(prepared);
      const workspace = { path, mode: "overlay" } as const;
      await expect(sandbox.takeOver?.({ ...prepared, workspace })).rejects.toMatchObject({
        code: "PROVIDER_UNSUPPORTED",
      });
      await sandbox.stop();
      const cold = await yard.startAs({ ...prepared, workspace });
      expect(await answer(cold, "pwd")).toBe(path);
      await cold.stop();
    });
  });
}
