/** Packages and repositories of a template, fetched through the gateway from servers on loopback. */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { openRealServers, type RealServers } from "../support/real-servers.ts";
import { makeRepositories } from "../support/repositories.ts";
import { allOf, program } from "../support/requirement.ts";
import { TemplateYard } from "../support/template-yard.ts";

const needed = allOf(...["crun", "unshare", "git", "npm", "dpkg-deb", "python3"].map(program));

describe.skipIf(!needed.met)(needed.title("what a template takes from elsewhere"), () => {
  let directory: string;
  let marker: string;
  let commit: string;
  let servers: RealServers;
  let yard: TemplateYard;
  let layers: readonly string[];
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), "cg-servers-"));
    marker = join(directory, "marker");
    servers = await openRealServers(directory);
    commit = await makeRepositories(directory, marker);
    yard = await TemplateYard.open({ targets: servers.mirrors, certificates: servers.authority });
  });
  afterAll(async () => {
    await yard[Symbol.asyncDispose]();
    await servers.close();
    rmSync(directory, { recursive: true });
  });
  beforeEach(async () => {
    servers.asked.length = 0;
    layers = yard.kept("layers");
  });

  const NPM = [
    "policy: { preset: locked, allow: [registry.npmjs.org] }",
    "packages: { npm: [tiny] }",
  ];

  test("are packages of npm, which every sandbox has without asking again", async () => {
    yard.write(...NPM);
    await yard.build();
    servers.asked.length = 0;
    expect(await yard.say("tiny; cd $(npm root -g) && node -p 'require(\"tiny\")'")).toBe(
      "tiny from npm\ntiny from npm",
    );
    expect(servers.asked).toEqual([]);
  });

  test("are packages of pip", async () => {
    yard.write("policy: { preset: locked, allow: [pypi.org] }", "packages: { pip: [tiny] }");
    await yard.build();
    servers.asked.length = 0;
    expect(await yard.say("tiny-py; python3 -c 'import tiny; tiny.tell()'")).toBe(
      "tiny from pypi\ntiny from pypi",
    );
    expect(servers.asked).toEqual([]);
  });

  test.each([
    ["npm", "registry.npmjs.org"],
    ["pip", "pypi.org"],
  ])("is no package of %s that its registry does not have", async (kind, host) => {
    yard.write(`policy: { preset: locked, allow: [${host}] }`, `packages: { ${kind}: [absent] }`);
    await expect(yard.build()).rejects.toMatchObject({
      code: "TEMPLATE_BUILD_FAILED",
      details: { output: expect.stringContaining("absent") },
    });
    expect(yard.kept("layers")).toEqual(layers);
  });

  test("is refused by the policy, with the rule that would let it", async () => {
    yard.write("policy: { preset: locked }", "packages: { pip: [tiny] }");
    await expect(yard.build()).rejects.toMatchObject({
      code: "TEMPLATE_BUILD_FAILED",
      hint: expect.stringContaining('`allow: ["pypi.org:443,tls"]`'),
    });
    expect(servers.asked).toEqual([]);
    yard.write("policy: { preset: open, deny: [pypi.org] }", "packages: { pip: [tiny] }");
    await expect(yard.build()).rejects.toMatchObject({
      hint: expect.stringMatching(/^What is denied.*: \["pypi.org"\]\. The log is/),
    });
    expect(servers.asked).toEqual([]);
  });

  const FORGE = "policy: { preset: locked, allow: [git.example] }";
  const clone = (ref?: string, name = "tools"): string =>
    `repositories: [{ url: "https://git.example/${name}.git", path: work/${name}${ref === undefined ? "" : `, ref: "${ref}"`} }]`;

  test("are repositories at a branch, a tag and a commit", async () => {
    const refs = {
      main: undefined,
      branch: "release/1",
      tag: "v1",
      commit,
      short: commit.slice(0, 12),
    };
    const list = Object.entries(refs).map(([path, ref]) => {
      const at = ref === undefined ? "" : `, ref: "${ref}"`;
      return `  - { url: "https://git.example/tools.git", path: work/${path}${at} }`;
    });
    yard.write(FORGE, "repositories:", ...list);
    let log = "";
    await yard.build((text) => (log += text));
    expect(log.match(/tools.git is at commit [0-9a-f]{40}/g)).toHaveLength(5);
    const look =
      'for at in *; do echo "$at $(cat $at/which) $(git -C $at rev-parse --abbrev-ref HEAD) $(git -C $at status -s)"; done';
    expect((await yard.say(`cd work; ${look}`)).split(/ ?\n/)).toEqual([
      "branch release release/1",
      "commit between HEAD",
      "main main main",
      "short between HEAD",
      "tag first HEAD ".trim(),
    ]);
  });

  test("is a repository of a forge that may be asked for it and nothing else", async () => {
    const rules = ["info/refs,GET", "git-upload-pack,POST"].map(
      (request) => `"git.example/tools.git/${request}"`,
    );
    const policy = `policy: { preset: locked, allow: [${rules.join(", ")}] }`;
    yard.write(policy, clone());
    await yard.build();
    expect(await yard.say("cat work/tools/which")).toBe("main");
    yard.write(policy, clone(undefined, "trap"));
    await expect(yard.build()).rejects.toMatchObject({
      code: "TEMPLATE_BUILD_FAILED",
      hint: expect.stringContaining("git.example:443/trap.git/info/refs,tls,GET"),
    });
  });

  test.each(["absent", "0123456789012345678901234567890123456789"])(
    "is no repository at %s, which it does not have",
    async (ref) => {
      yard.write(FORGE, clone(ref));
      await expect(yard.build()).rejects.toMatchObject({
        code: "TEMPLATE_BUILD_FAILED",
        details: { output: expect.stringContaining(`has no branch, tag or commit ${ref}`) },
      });
      expect(yard.kept("layers")).toEqual(layers);
    },
  );

  test("is no repository that wants to know who asks, whatever the person could say", async () => {
    yard.write(FORGE, clone(undefined, "private"));
    await expect(yard.build()).rejects.toMatchObject({
      code: "REPOSITORY_PRIVATE",
      hint: expect.stringContaining("in a session"),
    });
    expect(yard.kept("layers")).toEqual(layers);
  });

  test("runs nothing of a repository, on this machine or inside", async () => {
    yard.write(FORGE, clone(undefined, "trap"));
    await yard.build();
    const look = `cd work/trap && ls && git config --get core.hooksPath; ls .git/hooks | grep -v sample; ls '${marker}'`;
    expect(await yard.say(look)).toMatch(/^config\nhooks\ntrap\nls: .*marker.*No such file/);
    expect(existsSync(marker)).toBe(false);
    expect(servers.asked.every((line) => line.includes("/trap.git/"))).toBe(true);
  });
});
