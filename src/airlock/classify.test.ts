import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Change, EntryState, Hold } from "./change.ts";
import { classify } from "./classify.ts";

const FILE: EntryState = { kind: "file", mode: 0o644, text: "" };
const DIRECTORY: EntryState = { kind: "directory", mode: 0o755 };

function file(path: string, text = ""): Change {
  return { path, after: { ...FILE, text } };
}

function link(path: string, target: string): Change {
  return { path, after: { kind: "link", mode: 0o777, target } };
}

function holdsOf(change: Change, ...more: readonly Change[]): readonly Hold[] {
  return classify([change, ...more])[0]?.holds ?? [];
}

function classesOf(change: Change, ...more: readonly Change[]): readonly string[] {
  return holdsOf(change, ...more).map((hold) => hold.class);
}

describe("plain are", () => {
  test.each([
    ["source text", "src/main.c"],
    ["prose", "docs/README.md"],
    ["a name of 200 characters", `src/${"x".repeat(200)}.ts`],
    ["a name with spaces and other scripts", "dokumente/Übersicht 概要.txt"],
    ["a lock file of packages", "package-lock.json"],
    ["what only looks like a held name", "src/makefile.ts"],
    ["a folder called git", "git/hooks/pre-commit"],
    ["git's ignore list", ".gitignore"],
    ["objects of a repository", ".git/objects/ab/cdef"],
    ["branches of a repository", ".git/refs/heads/feature/x"],
    ["the index of a repository", ".git/index"],
    ["the head of a linked worktree", ".git/worktrees/w/HEAD"],
    ["objects of a submodule", ".git/modules/libs/one/objects/ab/cdef"],
    ["what a repository itself ignores", ".git/info/exclude"],
  ])("%s", (_, path) => {
    expect(holdsOf(file(path))).toEqual([]);
  });

  test("directories, whatever they are called: what is in them is judged by itself", () => {
    expect(classify([{ path: ".vscode", after: DIRECTORY }])[0]?.verdict).toBe("plain");
  });

  test("links that stay in the workspace, from where they lie", () => {
    expect(holdsOf(link("a/b/c", "../../x/y"))).toEqual([]);
    expect(holdsOf(link("current", "releases/2"))).toEqual([]);
  });

  test("deletions of what nothing on the host obeys", () => {
    expect(holdsOf({ path: "src/old.c", before: FILE })).toEqual([]);
  });
});

describe("held are", () => {
  test.each([
    ["hooks", ".git/hooks/pre-commit", "git"],
    ["git's configuration", ".git/config", "git"],
    ["the configuration of a worktree", ".git/worktrees/w/config.worktree", "git"],
    ["where a worktree's configuration lies", ".git/worktrees/w/commondir", "git"],
    ["hooks of a submodule", ".git/modules/libs/one/hooks/post-checkout", "git"],
    ["hooks of a submodule called as data is", ".git/modules/objects/hooks/post-checkout", "git"],
    ["where else objects are read", ".git/objects/info/alternates", "git"],
    ["commands of a rebase", ".git/rebase-merge/git-rebase-todo", "git"],
    ["attributes of a repository", ".git/info/attributes", "git"],
    ["what nobody knows in a git directory", ".git/tomorrow", "git"],
    ["a file in git's place", ".git", "git"],
    ["the same further down", "vendor/lib/.git", "git"],
    ["filters", "src/.gitattributes", "git"],
    ["submodules", ".gitmodules", "git"],
    ["git's directory in another case", ".GIT/hooks/pre-commit", "git"],
    ["git's directory in its short form", "GIT~1/config", "git"],
    ["git's directory with a dot behind", ".git./config", "git"],
    ["what a shell runs on entering", "sub/.envrc", "shell"],
    ["a shell's start", ".bashrc", "shell"],
    ["variables", ".env.local", "shell"],
    ["editor tasks", ".vscode/tasks.json", "editor"],
    ["editor tasks further down", "packages/a/.vscode/tasks.json", "editor"],
    ["an agent's servers", ".kiro/settings/mcp.json", "agent"],
    ["an agent's instructions", "AGENTS.md", "agent"],
    ["an agent's settings", ".claude/settings.json", "agent"],
    ["CI", ".github/workflows/ci.yml", "ci"],
    ["CI in another case", ".GitHub/Workflows/ci.yml", "ci"],
    ["build files", "Makefile", "build"],
    ["build scripts", "crate/build.rs", "build"],
    ["test set-up", "tests/conftest.py", "build"],
    ["what builds a python project", "pyproject.toml", "build"],
    ["where packages come from", ".npmrc", "package"],
    ["native builds of packages", "binding.gyp", "package"],
  ])("%s", (_, path, kind) => {
    expect(classesOf(file(path))).toEqual([kind]);
    expect(classesOf({ path, before: FILE })).toEqual([kind]);
    expect(classesOf({ path, before: FILE, after: FILE })).toEqual([kind]);
  });

  test.each([
    ["a zero-width character in git's name", ".g\u200cit/config"],
    ["a line feed", "a\nb"],
    ["a terminal's escape", "a\u001b[2Jb"],
    ["a C1 control", "a\u009bb"],
    ["text running backwards", "a\u202etxt.exe"],
    ["an option", "--upload-pack=x"],
    ["bytes that are no text", "a\uFFFD"],
  ])("names with %s", (_, path) => {
    expect(classesOf(file(path))).toContain("name");
  });

  test.each([
    ["absolute", "a", "/etc/passwd"],
    ["climbing", "a/b", "../../etc/passwd"],
    ["climbing just out", "a", ".."],
    ["through another that may climb", "p/q/r/l", "d/../../.."],
    ["without a target", "a", "/"],
  ])("links: %s", (_, path, target) => {
    expect(classesOf(link(path, target))).toEqual(["link"]);
  });

  test("links in a git directory, wherever they lead", () => {
    expect(classesOf(link(".git/objects/ab", "../refs"))).toEqual(["git"]);
  });

  test("set-user-id and set-group-id files", () => {
    for (const mode of [0o4755, 0o2755]) {
      expect(classesOf({ path: "tool", after: { ...FILE, mode } })).toEqual(["mode"]);
    }
    expect(classesOf({ path: "tool", after: { ...FILE, mode: 0o755 } })).toEqual([]);
  });

  test("sockets, pipes and devices", () => {
    expect(classesOf({ path: "p", after: { kind: "other", mode: 0o644 } })).toEqual(["device"]);
  });
});

describe("a manifest", () => {
  const before = { ...FILE, text: '{"name":"x","scripts":{"test":"node --test"}}' };
  const after = (text: string): Change => ({
    path: "package.json",
    before,
    after: { ...FILE, text },
  });

  test("is held when what package programs run has changed, and plain when it has not", () => {
    const changed = after('{"scripts":{"test":"node --test","prepare":"./x"}}');
    expect(holdsOf(changed)[0]?.reason).toContain("`scripts`");
    expect(
      holdsOf(after('{"name":"y","scripts":{"test":"node --test"},"dependencies":{}}')),
    ).toEqual([]);
  });

  test("is held when it is new with scripts, or cannot be read", () => {
    expect(classesOf(file("package.json", '{"scripts":{"install":"x"}}'))).toEqual(["package"]);
    expect(classesOf(file("package.json", '{"name":"x"}'))).toEqual([]);
    expect(classesOf(after("{"))).toEqual(["package"]);
    expect(
      classesOf({ path: "package.json", before, after: { kind: "file", mode: 0o644 } }),
    ).toEqual(["package"]);
  });
});

describe("a directory that git would take for a repository", () => {
  test("is found when the changes complete it, under any name", () => {
    const rest = [file("docs/HEAD"), file("docs/refs/heads/main"), file("docs/objects/x")];
    expect(classesOf(file("docs/config"), ...rest)).toEqual(["git"]);
    expect(classesOf(file("docs/config"))).toEqual([]);
  });

  test("is found when the workspace already holds the other half", () => {
    const namesIn = (directory: string): string[] =>
      directory === "fixture" ? ["HEAD", "objects"] : [];
    const [entry] = classify([file("fixture/hooks/post-checkout")], { namesIn });
    expect(entry?.holds[0]?.class).toBe("git");
  });
});

describe("names that collide where case is ignored", () => {
  test("are held, files and directories, when both are new", () => {
    const changes = [file("Readme"), file("README"), file("A/x"), file("a/x"), file("b")];
    expect(classify(changes).map(({ verdict }) => verdict)).toEqual([
      "held",
      "held",
      "held",
      "held",
      "plain",
    ]);
  });

  test("are held when the other is in the workspace, unless it goes", () => {
    const namesIn = (): string[] => ["README"];
    const added = file("Readme");
    expect(classify([added], { namesIn })[0]?.verdict).toBe("held");
    const gone = { path: "README", before: FILE };
    expect(classify([added, gone], { namesIn })[0]?.verdict).toBe("plain");
  });
});

describe("whatever the paths", () => {
  const name = fc.oneof(
    fc.constantFrom(".git", "hooks", "config", "HEAD", "objects", "..x", "modules", "a"),
    fc.string({ minLength: 1, maxLength: 8, unit: "binary" }).filter((text) => !text.includes("/")),
  );
  const path = fc.array(name, { minLength: 1, maxLength: 6 }).map((names) => names.join("/"));

  test("each change gets one entry, held exactly when there is a reason", () => {
    fc.assert(
      fc.property(fc.array(path, { maxLength: 8 }), (paths) => {
        const entries = classify(paths.map((each) => file(each)));
        expect(entries.map((entry) => entry.path)).toEqual(paths);
        expect(
          entries.every(({ verdict, holds }) => (verdict === "held") === holds.length > 0),
        ).toBe(true);
      }),
    );
  });

  test("nothing called hooks or config below a git directory is plain", () => {
    fc.assert(
      fc.property(path, fc.constantFrom("hooks/pre-push", "config"), (prefix, obeyed) => {
        const git = [prefix, ".git", obeyed].join("/");
        expect(classify([file(git)])[0]?.verdict).toBe("held");
      }),
    );
  });
});
