/** Packages of apt on a root file system of Debian, from a signed source on loopback. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DEBIAN, makeDebianBase } from "../support/debian-base.ts";
import { openPackageSource, SOURCE_LINE, type PackageSource } from "../support/package-source.ts";
import { allOf, program } from "../support/requirement.ts";
import { TemplateYard } from "../support/template-yard.ts";

const needed = allOf(...["crun", "unshare", "dpkg-deb", "gpg"].map(program), DEBIAN);

describe.skipIf(!needed.met)(needed.title("packages of apt on a base of Debian"), () => {
  let directory: string;
  let source: PackageSource;
  let yard: TemplateYard;
  let base: string;
  const POLICY = 'policy: { preset: locked, allow: ["deb.example:80"] }';
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), "cg-apt-"));
    source = await openPackageSource(directory);
    const archive = await makeDebianBase(directory, {
      "etc/apt/sources.list": SOURCE_LINE,
      "usr/share/keyrings/tiny.gpg": source.key,
    });
    base = `base: { tar: ${archive} }`;
    yard = await TemplateYard.open({ targets: source.mirrors });
  });
  afterAll(async () => {
    await yard[Symbol.asyncDispose]();
    await source[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true });
  });

  test("are not installed where the policy lets nothing out; the rule is named", async () => {
    yard.write(base, "policy: { preset: locked }", "packages: { apt: [tiny] }");
    await expect(yard.build()).rejects.toMatchObject({
      code: "TEMPLATE_BUILD_FAILED",
      hint: expect.stringContaining('`allow: ["deb.example:80,http"]`'),
    });
    expect(source.asked).toEqual([]);
    expect([yard.kept("layers"), yard.kept("sandboxes")]).toEqual([[], []]);
  });

  test("are named when no source has them", async () => {
    yard.write(base, POLICY, "packages: { apt: [tiny, no-such-package] }");
    await expect(yard.build()).rejects.toMatchObject({
      code: "PACKAGES_MISSING",
      details: { missing: ["no-such-package"] },
    });
    yard.write(base, POLICY, "packages: { apt: ['tiny=9'] }");
    await expect(yard.build()).rejects.toMatchObject({
      code: "PACKAGES_MISSING",
      details: { missing: ["tiny"] },
    });
    expect([yard.kept("layers"), yard.kept("roots")]).toEqual([[], []]);
  });

  test("are in every sandbox, as root installed them, and nobody inside can change them", async () => {
    yard.write(base, POLICY, "packages: { apt: [tiny] }");
    await yard.build();
    const asked = source.asked.length;
    const look = `id -un; tiny; dpkg-query -W -f '\${db:Status-Abbrev}' tiny; stat -c '%U %G %a' /var/lib/tiny
      ls /var/lib/apt/lists; getent passwd tiny | cut -d: -f1,6; echo x >> /usr/bin/tiny`;
    expect(await yard.say(look)).toMatch(
      /^agent\ntiny from apt\nii tiny tiny 2750\ntiny:\/nonexistent\n.*Permission denied$/,
    );
    expect(source.asked.length).toBe(asked);
  });

  test("are not installed from a source whose signature does not hold", async () => {
    source.spoil();
    yard.write(base, POLICY, "packages: { apt: [tiny, dpkg] }");
    await expect(yard.build()).rejects.toMatchObject({ code: "PACKAGES_UNVERIFIED" });
  });
});
