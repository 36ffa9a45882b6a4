import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Daemon } from "../../src/daemon/daemon.ts";
import { removeTree } from "../../src/platform/tree-removal.ts";
import { CommandLine, type CommandResult } from "../support/command-line.ts";
import { openCopyingDaemon } from "../support/copying-daemon.ts";
import { readTree } from "../support/overlay-yard.ts";
import { allOf, program } from "../support/requirement.ts";

const needs = allOf(program("crun"), program("git"));

const TOKEN = ["ghp_", "wWPw5k4aXcaT4fNP0UcnZwJUVFk6LO0pINUx"].join("");
const TEXT = "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\n";

describe.skipIf(!needs.met)(needs.title("a workspace that a sandbox has a copy of"), () => {
  let cli: CommandLine;
  let daemon: Daemon;
  beforeAll(async () => {
    cli = new CommandLine();
    daemon = await openCopyingDaemon(cli.paths, cli.directory);
  });
  afterAll(async () => {
    await daemon.close();
    await cli.close();
  });

  /** Every test begins with these files, committed. */
  beforeEach(() => {
    rmSync(cli.workspace, { recursive: true, force: true });
    host("f", TEXT);
    host("gone", "x\n");
    host("line\nfeed", "odd name\n");
    host("bin/tool", "#!/bin/sh\necho tool\n");
    execFileSync("chmod", ["755", at("bin/tool")]);
    symlinkSync("f", at("link"));
    host(".gitignore", "out/\n.env\n");
    git("init", "-q", "--template=");
    git("add", "-A");
    git("-c", "user.name=x", "-c", "user.email=x@y", "commit", "-qm", "first");
    host(".env", "PASSWORD=secret\n");
    host("out/result", "ignored\n");
  });

  const at = (path: string): string => join(cli.workspace, path);
  const host = (path: string, text: string): void => {
    mkdirSync(dirname(at(path)), { recursive: true });
    writeFileSync(at(path), text);
  };
  const git = (...args: readonly string[]): string =>
    execFileSync("git", ["-C", cli.workspace, ...args], { encoding: "utf8" });
  /** What the host holds, but for what git keeps for itself. */
  const tree = (): Record<string, string> =>
    Object.fromEntries(
      Object.entries(readTree(cli.workspace)).filter(([path]) => !/^\.git(\/|$)/.test(path)),
    );
  const make = (name: string, ...flags: readonly string[]): Promise<CommandResult> =>
    cli.run(["run", "shell", "--name", name, ...flags, "--", "-c", "true"]);
  const inside = async (name: string, script: string): Promise<string> => {
    const result = await cli.run(["exec", name, "--", "sh", "-ec", script]);
    expect(result).toMatchObject({ code: 0 });
    return result.stdout;
  };

  test("what git tracks is there, at the same path, in a clean repository; secrets and ignored files are not", async () => {
    host("leak", `token ${TOKEN}\n`);
    host("new", "untracked\n");
    git("add", "leak");
    const { stderr } = await make("given");
    expect(stderr).toContain(`a copy of ${cli.workspace} (overlay: `);
    expect(stderr).toContain("Sending what git tracks of");
    expect(stderr).toContain("1 untracked file(s); --include PATTERN sends them");
    expect(stderr).toContain('Not sent: "leak" seems to hold a secret (github) in line 1');
    expect(
      await inside(
        "given",
        "pwd; find . -name .git -prune -o -type f -print0 | sort -z | tr '\\0' '|'",
      ),
    ).toBe(`${cli.workspace}\n./.gitignore|./bin/tool|./f|./gone|./line\nfeed|`);
    expect(
      await inside(
        "given",
        "git status --porcelain; git rev-list --count HEAD; bin/tool; cat link | head -n 1",
      ),
    ).toBe("1\ntool\none\n");
    expect((await cli.run(["diff", "given"])).stderr).toBe("Nothing has changed.\n");
    await cli.run(["rm", "given"]);
  });

  test("`--include` sends what git ignores; a secret only by its very path", async () => {
    host("out/.env", "PASSWORD=secret\n");
    await make("chosen", "--include", "out/**", "--include", ".env");
    expect(await inside("chosen", "cat .env out/result; ls -A out")).toBe(
      "PASSWORD=secret\nignored\nresult\n",
    );
    await cli.run(["rm", "chosen"]);
  });

  test("nothing reaches the host before `apply`; then it has what was changed inside, and not what is held", async () => {
    await make("box");
    const before = readTree(cli.workspace);
    await inside(
      "box",
      `sed -i s/two/TWO/ f; rm gone; mkdir d; echo n >d/new; echo 'a: b' >Makefile; chmod -x bin/tool
       ln -s /etc/passwd evil; mkdir -p out; echo built >out/more; git add -A
       git -c user.name=q -c user.email=q@q commit -qm inner`,
    );
    const { stdout } = await cli.run(["diff", "box", "--stat"]);
    expect(stdout).toMatch(/Makefile.*held|held.*Makefile/);
    expect(stdout).not.toMatch(/out\/more|\.git\//);
    expect(readTree(cli.workspace)).toEqual(before);
    const applied = await cli.run(["apply", "box"]);
    expect([applied.code, applied.stdout]).toEqual([
      1,
      "modified bin/tool\nadded d\nadded d/new\nmodified f\ndeleted gone\n",
    ]);
    expect(tree()).toEqual({
      ".env": "644 PASSWORD=secret\n",
      ".gitignore": "644 out/\n.env\n",
      bin: "directory 755",
      "bin/tool": "644 #!/bin/sh\necho tool\n",
      d: "directory 755",
      "d/new": "644 n\n",
      f: `644 ${TEXT.replace("two", "TWO")}`,
      "line\nfeed": "644 odd name\n",
      link: "link f",
      out: "directory 755",
      "out/result": "644 ignored\n",
    });
    expect(git("log", "--format=%s")).toBe("first\n");
    await cli.run(["rm", "--force", "box"]);
  });

  test("what both changed is merged; what the sandbox was never given it does not overwrite or take along", async () => {
    await make("both");
    await inside(
      "both",
      "sed -i s/eight/EIGHT/ f; echo mine >made; git rm -q --cached f; rm -rf bin",
    );
    host("f", TEXT.replace("one", "ONE"));
    host("bin/data", "the host's\n");
    host("made", "the host's\n");
    const refused = await cli.run(["apply", "both"]);
    expect(refused.stderr).toContain("CHANGES_CONFLICT");
    expect(refused.stderr).toContain("made: the sandbox was never shown the one you have");
    const { stdout } = await cli.run(["apply", "both", "f", "bin"]);
    expect(stdout).toContain("modified f: merged with what you changed\n");
    expect(tree()).toMatchObject({
      f: `644 ${TEXT.replace("one", "ONE").replace("eight", "EIGHT")}`,
      "bin/data": "644 the host's\n",
      made: "644 the host's\n",
    });
    expect(existsSync(at("bin/tool"))).toBe(false);
    await cli.run(["rm", "--force", "both"]);
  });

  test("changes outlive a stop, and the sandbox itself; `discard` drops them", async () => {
    await make("kept");
    await inside("kept", "echo more >>f; rm gone; echo n >new");
    await cli.run(["stop", "kept"]);
    const stopped = await cli.run(["diff", "kept", "--stat"]);
    expect(stopped.stdout).toContain("3 paths changed");
    host("bin/tool", "of the host\n");
    await loseFiles(cli);
    await cli.run(["start", "kept"]);
    expect(await inside("kept", "tail -n 1 f; cat new bin/tool; ls")).toBe(
      "more\nn\nof the host\nbin\nf\nline\nfeed\nlink\nnew\n",
    );
    expect((await cli.run(["diff", "kept", "--stat"])).stdout).toBe(stopped.stdout);
    expect((await cli.run(["discard", "kept", "--yes"])).stderr).toContain("SANDBOX_BUSY");
    await cli.run(["stop", "kept"]);
    expect((await cli.run(["discard", "kept", "--yes"])).code).toBe(0);
    await cli.run(["start", "kept"]);
    expect(await inside("kept", "cat f gone; ls")).toBe(
      `${TEXT}x\nbin\nf\ngone\nline\nfeed\nlink\n`,
    );
    await cli.run(["rm", "kept"]);
  });

  test("`cp` works in both directions", async () => {
    await make("copier");
    await cli.run(["cp", "-", "copier:."], {
      input: execFileSync("tar", ["-c", "-C", cli.workspace, "out"]),
    });
    expect(await inside("copier", "cat out/result")).toBe("ignored\n");
    await inside("copier", "echo back >out/back");
    expect((await cli.run(["cp", "copier:out/back", "."])).code).toBe(0);
    expect(readFileSync(at("back"), "utf8")).toBe("back\n");
    await cli.run(["rm", "--force", "copier"]);
  });

  test.each(["direct", "readonly", "clone"])(
    "mode %s is refused, with the mode that works",
    async (mode) => {
      const { code, stderr } = await make("refused", "--mode", mode);
      expect(code).toBe(125);
      expect(stderr).toContain("WORKSPACE_MODE_UNAVAILABLE");
      expect(stderr).toContain("have a copy of the workspace");
      expect(stderr).toContain("--mode overlay");
    },
  );

  test("a folder that is no repository is sent whole, but for secrets, and that is said first", async () => {
    rmSync(at(".git"), { recursive: true });
    const { stderr } = await make("plain");
    expect(stderr).toContain("as it is no git repository");
    expect(stderr).toContain('Not sent: ".env" may hold secrets');
    expect(await inside("plain", "cat out/result; ls .env || true")).toBe("ignored\n");
    await inside("plain", "echo changed >f");
    expect((await cli.run(["apply", "plain"])).stdout).toBe("modified f\n");
    await cli.run(["rm", "plain"]);
  });
});

/** As a service does that deletes a sandbox under its user's hands: the next start finds an empty workspace. */
async function loseFiles({ paths }: CommandLine): Promise<void> {
  const files = join(paths.providerDirectory("copied"), "copied");
  for (const id of readdirSync(files)) await removeTree(join(files, id));
}
