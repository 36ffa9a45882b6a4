/**
 * Group E of the attack list: what programs inside leave on disk for the host to stumble over.
 */
import { existsSync, mkdirSync, readdirSync, statSync } from "node:fs";
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
});
