/**
 * Group E of the attack list: what programs inside leave on disk for the host to stumble over (E55, E56, E57, E66).
 * Covered elsewhere: E57 and E59 in part test/conformance/workspace.ts; E60 src/workspace/protected-paths.test.ts; E62
 * test/conformance/workspace.ts; E64 isolation.ts; E66's depth and modes src/platform/tree-removal.test.ts.
 */
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createLocalProvider } from "../../src/sandbox/providers/local/provider.ts";
import {
  answer,
  NEVER,
  run,
  SandboxYard,
  sh,
  succeeding,
} from "../../src/testing/conformance/sandbox-yard.ts";
import { allOf, program } from "../support/requirement.ts";

const needed = allOf(program("crun"), program("unshare"), program("nsenter"));

describe.skipIf(!needed.met)(needed.title("files that a sandbox leaves"), () => {
  let yard: SandboxYard;
  beforeAll(() => {
    yard = new SandboxYard(createLocalProvider);
  });
  afterAll(async () => yard.close());

  test("a link in place of one of its directories gives away nothing outside at the next start", async () => {
    const outside = yard.makeDirectory("outside");
    mkdirSync(join(outside, "below"));
    const before = [statSync(outside), statSync(join(outside, "below"))];
    const specification = yard.specify();
    await yard.provider.create(specification, NEVER);
    const sandbox = await yard.startAgain(specification);
    const relink = (path: string, target: string): string =>
      `rm -rf ${path}; ln -s ${target} ${path}`;
    await answer(
      sandbox,
      [
        relink("/usr/local/bin", outside),
        relink("/usr/local/sbin", join(outside, "below")),
        relink("/usr/local/share", join(outside, "new")),
        "echo kept >/usr/local/src/mine",
      ].join("; "),
    );
    await sandbox.stop();
    await yard.provider.create(specification, NEVER);
    await yard.provider.layers.seal(specification.id, "sealed");
    const again = await yard.startAgain(specification);
    expect(await answer(again, "cat /usr/local/src/mine; readlink /usr/local/bin")).toBe(
      `kept\n${outside}`,
    );
    const after = [statSync(outside), statSync(join(outside, "below"))];
    expect(after.map(({ uid, gid, mode }) => [uid, gid, mode])).toEqual(
      before.map(({ uid, gid, mode }) => [uid, gid, mode]),
    );
    expect(readdirSync(outside)).toEqual(["below"]);
    expect(existsSync(join(outside, "new"))).toBe(false);
  });

  test("what is done to the agent's own /usr/local shows in no other sandbox", async () => {
    const [one, other] = [await yard.start(), await yard.start()];
    const look = "cd /usr/local && stat -c '%n %U %a' . bin include sbin share src; ls -A bin";
    const before = await answer(other, look);
    expect(before).toContain(". agent 755\nbin agent 755\n");
    const script =
      "cd /usr/local && echo x >bin/made && chmod 700 share && rmdir src && mv include was; ls bin/made";
    expect(await answer(one, script)).toBe("bin/made");
    expect(await answer(one, look.replaceAll("include", "was").replace(" src", ""))).not.toBe(
      before,
    );
    expect(await answer(other, look)).toBe(before);
    expect(await answer(await yard.start(), look)).toBe(before);
  });

  test("a link put on the way to the workspace chooses nothing that is laid inside", async () => {
    const outer = yard.makeDirectory("outer");
    const elsewhere = yard.makeDirectory("elsewhere");
    const path = join(outer, "a/b");
    mkdirSync(path, { recursive: true });
    mkdirSync(join(elsewhere, "b"));
    writeFileSync(join(elsewhere, "b/secret"), "");
    const swapped = yard.specify({ workspace: { path, mode: "direct" } });
    await yard.provider.create(swapped, NEVER);
    await (await yard.startAgain(swapped)).stop();
    renameSync(join(outer, "a"), join(outer, "c"));
    symlinkSync(elsewhere, join(outer, "a"));
    const failure = await yard.startAgain(swapped).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "WORKSPACE_MISSING" });
    rmSync(join(outer, "a"));
    symlinkSync(join(elsewhere, "b"), join(outer, "b"));
    const linked = yard.specify({ workspace: { path: join(outer, "b"), mode: "readonly" } });
    await expect(yard.startAgain(linked)).rejects.toMatchObject({ code: "WORKSPACE_MISSING" });
    renameSync(join(outer, "c"), join(outer, "a"));
    const restored = await yard.startAgain(swapped);
    expect(await answer(restored, "pwd; ls")).toBe(path);
  });

  test("no second way leads to a protected file, and an unprotected one beside it stays open", async () => {
    const path = yard.makeDirectory("guarded");
    mkdirSync(join(path, ".git/hooks"), { recursive: true });
    for (const name of [".git/config", ".envrc", "free"]) writeFileSync(join(path, name), "host\n");
    const protectedPaths = [".git/hooks", ".git/config", ".envrc"].map((each) => join(path, each));
    const sandbox = await yard.start({ workspace: { path, mode: "direct" }, protectedPaths });
    const attacks = [
      "ln .envrc second && echo x >second",
      "ln .git/config .git/second && echo x >.git/second",
      "ln -s .envrc way && echo x >way",
      "echo x >/proc/self/cwd/.envrc",
      "echo x >/proc/1/root$PWD/.envrc",
      "exec 3<.envrc && echo x >/proc/self/fd/3",
      "echo x >new && mv -f new .envrc",
      "rm -f .envrc && echo x >.envrc",
      "chmod u+w .envrc && echo x >.envrc",
      "truncate -s0 .envrc",
      "touch .envrc",
      "cp /bin/true .git/hooks/pre-commit",
      "mv .git/hooks .git/other",
      "rmdir .git/hooks",
      "mv .git other && mkdir -p .git/hooks",
      "mount --bind free .envrc",
    ];
    expect(await succeeding(sandbox, attacks)).toEqual([]);
    expect(await answer(sandbox, "echo agent >free && ln free twin && cat twin .envrc")).toBe(
      "agent\nhost",
    );
    for (const name of [".git/config", ".envrc"]) {
      expect(readFileSync(join(path, name), "utf8")).toBe("host\n");
    }
    expect(readdirSync(join(path, ".git/hooks"))).toEqual([]);
  });

  test("attributes that an overlay reads mean nothing when a program inside sets them", async (context) => {
    const specification = yard.specify();
    await yard.provider.create(specification, NEVER);
    const sandbox = await yard.startAgain(specification);
    if ((await sh(sandbox, "test -x /usr/bin/python3")).code !== 0) {
      return context.skip("there is no python3 to set attributes with");
    }
    const script = `
import os
os.makedirs(os.path.expanduser("~/d/own")); os.chdir(os.path.expanduser("~"))
for name in ("redirect", "opaque", "metacopy", "origin", "whiteout"):
    for prefix in ("user.overlay.", "trusted.overlay."):
        for value in (b"/etc", b"/usr/bin", b"y"):
            try: os.setxattr("d", prefix + name, value)
            except OSError: pass
print("done")`;
    const { output } = await run(sandbox, ["/usr/bin/python3", "-"], { input: script });
    expect(output).toBe("done\n");
    await sandbox.stop();
    const again = await yard.startAgain(specification);
    expect(await answer(again, "ls ~/d")).toBe("own");
    await again.stop();
    await yard.provider.layers.seal(specification.id, "attributes");
    const above = await yard.start({ homeLayers: ["attributes"] });
    expect(await answer(above, "ls ~/d; touch ~/d/new && ls ~/d")).toBe("own\nnew\nown");
  });
});
