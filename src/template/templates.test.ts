import { mkdirSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { OWNER, SandboxYard } from "../../test/support/sandbox-yard.ts";
import { TEMPLATE_FILE } from "./places.ts";

const code = (expected: string): unknown => expect.objectContaining({ code: expected });

let yard: SandboxYard;
beforeEach(async () => void (yard = await SandboxYard.open()));
afterEach(async () => {
  await yard.close();
  yard.remove();
});

describe("a template", () => {
  test("of the organisation is found before the user's of the same name", async () => {
    yard.writeTemplate("team", "version: 1\ntitle: theirs\n", "organisation");
    yard.writeTemplate("team", "version: 1\ntitle: mine\n", "user");
    const found = await yard.templates.load("team");
    expect(found).toMatchObject({ origin: "organisation", content: { title: "theirs" } });
  });

  test("takes the texts of the files in that it names, below its directory", async () => {
    yard.writeTemplate("team", {
      [TEMPLATE_FILE]:
        "version: 1\nsteering: [{ name: team.md, from: notes/team.md }]\npolicy: { ceiling: most.yaml }\n",
      "notes/team.md": "Be kind.",
      "most.yaml": "allow: []\n",
    });
    const { content } = await yard.templates.load("team");
    expect(content.steering).toEqual([{ name: "team.md", content: "Be kind." }]);
    expect(content.policy?.ceilings).toMatchObject([{ text: "allow: []\n" }]);
  });

  test("has the same digest for the same content, and another one for another text of a file", async () => {
    const text = "version: 1\nfiles: [{ path: a, from: a }]\n";
    yard.writeTemplate("one", { [TEMPLATE_FILE]: text, a: "1" });
    yard.writeTemplate("two", { [TEMPLATE_FILE]: `# a remark\n${text}`, a: "1" });
    yard.writeTemplate("three", { [TEMPLATE_FILE]: text, a: "2" });
    const [one, two, three] = await Promise.all(
      ["one", "two", "three"].map((name) => yard.templates.load(name)),
    );
    expect(one!.digest).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(two!.digest).toBe(one!.digest);
    expect(three!.digest).not.toBe(one!.digest);
  });

  test("begins with its parents, whose files lie in their own directories", async () => {
    yard.writeTemplate(
      "base",
      { [TEMPLATE_FILE]: "version: 1\nagent: shell\nfiles: [{ path: a, from: a }]\n", a: "base" },
      "organisation",
    );
    yard.writeTemplate("team", "version: 1\nextends: base\ntitle: Team\n");
    const loaded = await yard.templates.load("team");
    expect(loaded.content).toMatchObject({
      agent: "shell",
      title: "Team",
      files: [{ path: "a", content: "base" }],
    });
    expect(loaded.paths.map((path) => path.slice(yard.root.length))).toEqual([
      "/state/templates/team/cattlegrid.template.yaml",
      "/organisation/templates/base/cattlegrid.template.yaml",
    ]);
  });
});

describe("a wrong template is refused with its place:", () => {
  test.each([
    ["an unknown key", "version: 1\nlimit: {}\n", { place: "2:1", why: "did you mean limits?" }],
    [
      "one deep inside",
      "version: 1\npolicy:\n  alow: []\n",
      { place: "3:3", why: "did you mean allow?" },
    ],
    [
      "one of a server",
      "version: 1\nmcpServers:\n  s: { comand: x }\n",
      { place: "3:8", why: "did you mean command?" },
    ],
    [
      "a default out of range",
      "version: 1\nparameters:\n  n: { type: number, max: 3, default: 4 }\n",
      { place: "3:30", why: "4 is out of range" },
    ],
    [
      "a pattern that is none",
      "version: 1\nparameters:\n  s: { type: string, pattern: '(' }\n",
      { place: "3:22", why: "Unterminated" },
    ],
    [
      "a parameter that is not there",
      'version: 1\nparameters: { team: { type: string } }\nenvironment: { T: "${parameters.tem}" }\n',
      { place: "3:16", why: "did you mean team?" },
    ],
    [
      "a value in a script",
      'version: 1\nparameters: { team: { type: string } }\nsetup:\n  - run: "echo ${parameters.team}"\n',
      { place: "4:5", why: "no parameter may stand here" },
    ],
    [
      "a value in a file that is run",
      'version: 1\nparameters: { team: { type: string } }\nfiles: [{ path: x, mode: "0755", content: "${parameters.team}" }]\n',
      { place: "3:34", why: "no parameter may stand here" },
    ],
    [
      "a secret in a file",
      'version: 1\nparameters: { key: { type: secret } }\nfiles: [{ path: x, content: "${parameters.key}" }]\n',
      { place: "3:20", why: "names a secret" },
    ],
    [
      "a secret that is part of a variable",
      'version: 1\nparameters: { key: { type: secret } }\nenvironment: { A: "x${parameters.key}" }\n',
      { place: "3:16", why: "names a secret" },
    ],
    [
      "a condition on nothing",
      "version: 1\nsetup:\n  - { run: 'true', when: { team: a } }\n",
      { place: "3:28", why: "there is no parameter team" },
    ],
    [
      "a path out of the home directory",
      "version: 1\nfiles: [{ path: ../x, content: y }]\n",
      { place: "2:11", why: "leads out" },
    ],
    [
      "a file with no text",
      "version: 1\nfiles: [{ path: x }]\n",
      { place: "2:9", why: "exactly one" },
    ],
    [
      "a file that is not there",
      "version: 1\nfiles: [{ path: x, from: y }]\n",
      { place: "2:20", why: "no file y" },
    ],
    [
      "a file elsewhere",
      "version: 1\nfiles: [{ path: x, from: ../../../secret }]\n",
      { place: "2:20", why: "leads out" },
    ],
    [
      "a preset that is none",
      "version: 1\npolicy: { preset: lockd }\n",
      { place: "2:11", why: "no preset lockd" },
    ],
    [
      "a rule that is none",
      "version: 1\npolicy: { deny: ['exam ple'] }\n",
      { place: "2:18", why: "" },
    ],
    [
      "a parent that is not there",
      "version: 1\nextends: tem\n",
      { place: "2:1", why: "did you mean team?" },
    ],
    ["a circle", "version: 1\nextends: team\n", { place: "2:1", why: "team → team is a circle" }],
  ])("%s", async (_, text, { place, why }) => {
    const directory = yard.writeTemplate("team", text);
    const loaded = yard.templates.load("team");
    await expect(loaded).rejects.toEqual(code("TEMPLATE_INVALID"));
    await expect(loaded).rejects.toThrow(`${directory}/${TEMPLATE_FILE}:${place}: `);
    await expect(loaded).rejects.toThrow(why);
  });

  test("a circle of three", async () => {
    yard.writeTemplate("a", "version: 1\nextends: b\n");
    yard.writeTemplate("b", "version: 1\nextends: c\n");
    yard.writeTemplate("c", "version: 1\nextends: a\n");
    await expect(yard.templates.load("a")).rejects.toThrow("a → b → c → a is a circle");
  });

  test("a link that leads out of its directory, while one below it is followed", async () => {
    const directory = yard.writeTemplate("team", {
      [TEMPLATE_FILE]: "version: 1\nfiles: [{ path: x, from: d/y }]\n",
      "e/y": "inside",
    });
    mkdirSync(join(yard.root, "outside"));
    writeFileSync(join(yard.root, "outside/y"), "a secret of the host's");
    symlinkSync("e", join(directory, "d"));
    expect((await yard.templates.load("team")).content.files).toMatchObject([
      { content: "inside" },
    ]);
    renameSync(join(directory, "d"), join(directory, "before"));
    symlinkSync(join(yard.root, "outside"), join(directory, "d"));
    await expect(yard.templates.load("team")).rejects.toThrow("a link on the way leads elsewhere");
  });

  test("more than is kept with a sandbox", async () => {
    const large = Object.fromEntries(
      [1, 2, 3, 4, 5].map((each) => [`f${each}`, "x".repeat(255 * 1024)]),
    );
    const entries = Object.keys(large).map((name) => `{ path: ${name}, from: ${name} }`);
    yard.writeTemplate("team", {
      [TEMPLATE_FILE]: `version: 1\nfiles: [${entries.join(", ")}]\n`,
      ...large,
    });
    await expect(yard.templates.load("team")).rejects.toThrow("larger than 1 MiB");
  });

  test("one that nobody has, with the name that was meant", async () => {
    yard.writeTemplate("kiro-locked", "version: 1\n");
    const loaded = yard.templates.load("kiro-loked");
    await expect(loaded).rejects.toEqual(code("TEMPLATE_UNKNOWN"));
    await expect(loaded).rejects.toThrow("Did you mean kiro-locked?");
    await expect(yard.templates.load("../state")).rejects.toEqual(code("TEMPLATE_UNKNOWN"));
  });
});

describe("a project's template", () => {
  const resolve = () =>
    yard.templates.resolve({ name: "project" }, { owner: OWNER, workspace: yard.workspace });

  test("counts for nobody before it is approved, and again not once it is changed", async () => {
    yard.writeTemplate("", "version: 1\nagent: shell\n", "project");
    await expect(resolve()).rejects.toEqual(code("TEMPLATE_UNTRUSTED"));
    const { digest } = await yard.templates.load("project", yard.workspace);
    const approval = { owner: OWNER, digest, workspace: yard.workspace, approvedAt: "now" };
    await yard.store.templateApprovals.put(approval);
    expect((await resolve()).resolved.name).toBe("project");
    yard.writeTemplate("", "version: 1\nagent: shell\nenvironment: { A: b }\n", "project");
    await expect(resolve()).rejects.toEqual(code("TEMPLATE_UNTRUSTED"));
  });

  test("lays nothing of the machine under a sandbox", async () => {
    for (const base of ["{ directory: / }", "{ directory: ../.. }", "{ image: /images/x }"]) {
      yard.writeTemplate("", `version: 1\nbase: ${base}\n`, "project");
      await expect(yard.templates.load("project", yard.workspace)).rejects.toThrow("lies outside");
    }
    yard.writeTemplate("team", "version: 1\nbase: { directory: / }\n");
    expect((await yard.templates.load("team")).content.base).toEqual({ directory: "/" });
  });

  test("is not found where the directory is a link", async () => {
    yard.writeTemplate("team", "version: 1\n");
    symlinkSync(join(yard.root, "state/templates/team"), join(yard.workspace, ".cattlegrid"));
    await expect(resolve()).rejects.toEqual(code("TEMPLATE_UNKNOWN"));
  });
});
