import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { resolvePaths } from "../platform/paths.ts";
import { parseConfiguration } from "./configuration-file.ts";
import { readMirrors } from "../client/mirrors.ts";
import { readSettings, type Settings } from "./settings.ts";

let root: string;
let workspace: string;

beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), "cg-settings-")));
  workspace = join(root, "work");
  for (const folder of ["state", "work/.cattlegrid", "organisation"]) {
    mkdirSync(join(root, folder), { recursive: true });
  }
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const say = (file: string, text: string): void => writeFileSync(join(root, file), text);

function read(environment: Record<string, string> = {}): Promise<Settings> {
  const own = { CATTLEGRID_HOME: join(root, "state"), ...environment };
  const paths = resolvePaths({ environment: own, uid: 1, homeDirectory: root });
  const organisationFile = join(root, "organisation/config.yaml");
  return readSettings({ environment: own, paths }, { workspace, organisationFile });
}

describe("the configuration", () => {
  test("is empty where nobody says anything", async () => {
    expect(await read()).toMatchObject({ toolchains: [], flags: {}, origins: {}, mirrors: {} });
  });

  test("stands in for flags, under either spelling of a name, with paths from the file on", async () => {
    say(
      "state/config.yaml",
      "toolchains: [~/.nvm, /opt/tool, nearby]\nmode: readonly\ncpus: 2\npolicy: ./strict.yaml\n" +
        "idle-stop: 30m\nmaxAge: 8h\nregions: [eu-central-1]\ngit-identity: false\n",
    );
    expect(await read()).toMatchObject({
      toolchains: [join(homedir(), ".nvm"), "/opt/tool", join(root, "state/nearby")],
      flags: {
        mode: "readonly",
        cpus: "2",
        policy: join(root, "state/strict.yaml"),
        "idle-stop": "30m",
        "max-age": "8h",
      },
      regions: ["eu-central-1"],
      gitIdentity: false,
    });
  });

  test("goes from the organisation over the user and the project to the environment", async () => {
    say(
      "organisation/config.yaml",
      "policy: dev\nprovider: local\nturnTimeout: 5m\nallow: [one.example]\n",
    );
    say("state/config.yaml", "turnTimeout: 6m\ncpus: 4\nallow: [two.example]\n");
    say("work/.cattlegrid/config.yaml", "\ncpus: 2\ndeny: [three.example]\n");
    const variables = { CATTLEGRID_POLICY: "agent", CATTLEGRID_PROVIDER: "other" };
    const settings = await read(variables);
    expect(settings).toMatchObject({
      allow: ["one.example", "two.example"],
      deny: ["three.example"],
      flags: { policy: "agent", "turn-timeout": "6m", cpus: "2", provider: "other" },
    });
    expect(settings.origins).toEqual({
      policy: "CATTLEGRID_POLICY",
      provider: "CATTLEGRID_PROVIDER",
      turnTimeout: join(root, "state/config.yaml:1"),
      cpus: join(root, "work/.cattlegrid/config.yaml:2"),
      deny: join(root, "work/.cattlegrid/config.yaml:3"),
      allow: `${join(root, "organisation/config.yaml:4")}, ${join(root, "state/config.yaml:3")}`,
    });
  });

  test("says where mirrors are, which the environment replaces", async () => {
    say("organisation/config.yaml", "mirrors:\n  a.example:443: 127.0.0.1:1\n");
    say("state/config.yaml", "mirrors: { 'b.example:443': '127.0.0.1:2' }\n");
    const caller = { environment: {}, directory: root } as never;
    expect(await readMirrors(caller, await read())).toEqual({
      targets: "a.example:443=127.0.0.1:1,b.example:443=127.0.0.1:2",
    });
    const own = { environment: { CATTLEGRID_MIRRORS: "c:1=d:2" }, directory: root } as never;
    expect(await readMirrors(own, await read())).toEqual({ targets: "c:1=d:2" });
  });
});

describe("a project's file", () => {
  test.each([
    ["allow: [evil.example]"],
    ["toolchains: [/etc]"],
    ["mirrors: {}"],
    ["mirrorCertificates: ca.pem"],
    ["provider: other"],
    ["isolation: namespaces"],
    ["gitIdentity: true"],
    ["policy: open"],
    ["policy: ./mine.yaml"],
    ["mode: direct"],
  ])("may not say `%s`", async (line) => {
    say("work/.cattlegrid/config.yaml", `${line}\n`);
    await expect(read()).rejects.toMatchObject({ code: "CONFIG_INVALID" });
  });

  test("narrows and never widens what the user said", async () => {
    say("state/config.yaml", "mode: readonly\ncpus: 2\nmemory: 1g\nidleStop: 10m\nmaxAge: 1h\n");
    say(
      "work/.cattlegrid/config.yaml",
      "mode: clone\ncpus: 8\nmemory: 512m\nidleStop: 1h\nmaxAge: 30m\npolicy: locked\n",
    );
    const { flags, origins } = await read();
    expect(flags).toEqual({
      mode: "readonly",
      cpus: "2",
      memory: "512m",
      "idle-stop": "10m",
      "max-age": "30m",
      policy: "locked",
    });
    expect(origins["mode"]).toBe(join(root, "state/config.yaml:1"));
  });

  test("is a regular file of the project, and no link elsewhere", async () => {
    const file = join(workspace, ".cattlegrid/config.yaml");
    say("elsewhere.yaml", "cpus: 1\n");
    symlinkSync(join(root, "elsewhere.yaml"), file);
    await expect(read()).rejects.toMatchObject({ code: "CONFIG_INVALID" });
    rmSync(join(workspace, ".cattlegrid"), { recursive: true });
    mkdirSync(join(root, "outside"));
    say("outside/config.yaml", "cpus: 1\n");
    symlinkSync(join(root, "outside"), join(workspace, ".cattlegrid"));
    await expect(read()).rejects.toThrow("a link on the way leads elsewhere");
  });

  test("that is too large is refused", async () => {
    say("work/.cattlegrid/config.yaml", `cpus: 1 # ${"x".repeat(70_000)}\n`);
    await expect(read()).rejects.toMatchObject({ code: "CONFIG_INVALID" });
  });
});

test.each([
  [
    "an unknown setting",
    "mode: direct\nmdoe: direct\n",
    '2:1: there is no setting "mdoe"; did you mean mode?',
  ],
  ["a list that is none", "toolchains: /opt\n", "1:13: `toolchains`: expected array"],
  ["an entry that is no text", "allow:\n  - [x]\n", "2:5: `allow.0`: expected string"],
  ["a switch that is none", "git-identity: maybe\n", "1:15: `gitIdentity`: expected boolean"],
  ["a mirror that is none", "mirrors:\n  a.example: b\n", "`mirrors"],
  ["no mapping", "- a\n", "1:1: the file must be"],
  ["broken YAML", "mode: [\n", "/state/config.yaml:"],
])("%s is refused with file, line and column", async (_title, text, message) => {
  const reading = parseConfiguration(text, "/state/config.yaml", "own");
  await expect(reading).rejects.toMatchObject({ code: "CONFIG_INVALID" });
  await expect(reading).rejects.toThrow(message);
});
