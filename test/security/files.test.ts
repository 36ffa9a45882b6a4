/**
 * Group E of the attack list: what programs inside leave on disk for the host to stumble over.
 */
import {
  existsSync,
  mkdirSync,
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
import { answer, NEVER, SandboxYard } from "../conformance/sandbox-yard.ts";
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
});
