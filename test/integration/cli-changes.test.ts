import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { CommandLine, type CommandResult } from "../support/command-line.ts";
import { allOf, program } from "../support/requirement.ts";
import { Screen } from "../support/screen.ts";
import { readTree } from "../support/overlay-yard.ts";

const needs = allOf(program("crun"), program("tmux"));
const WORKFLOW = ".github/workflows/ci.yml";
const LINES = Array.from({ length: 40 }, (_, index) => `line ${index + 1}\n`).join("");

describe.skipIf(!needs.met)(needs.title("the changes of a sandbox, on the command line"), () => {
  let cli: CommandLine;
  beforeAll(async () => {
    cli = new CommandLine();
    await cli.run(["run", "shell", "--name", "box", "--mode", "overlay", "--", "-c", "true"]);
  });
  afterAll(async () => cli.close());

  /** Every test begins with nothing changed, and the sandbox running over these files. */
  beforeEach(async () => {
    await cli.run(["stop", "box"]);
    await cli.run(["discard", "box", "--yes"]);
    rmSync(cli.workspace, { recursive: true, force: true });
    mkdirSync(cli.workspace);
    host("f", LINES);
    host("gone", "x\n");
    await cli.run(["start", "box"]);
  });

  const host = (path: string, text: string): void => writeFileSync(at(path), text);
  const at = (path: string): string => join(cli.workspace, path);
  const inside = async (script: string): Promise<void> => {
    expect(await cli.run(["exec", "box", "--", "sh", "-ec", script])).toMatchObject({ code: 0 });
  };
  const refusal = ({ code, stderr }: CommandResult): unknown[] => [
    code,
    /code: (\S+)/.exec(stderr)?.[1],
  ];
  const CHANGE =
    "sed -i 's/^line 3$/three/; s/^line 30$/thirty/' f; rm gone; mkdir d; echo n > d/new";

  test("`diff` shows them and `apply` brings them all; afterwards nothing has changed", async () => {
    await inside(CHANGE);
    const { stdout } = await cli.run(["diff", "box"]);
    expect(stdout).toMatch(
      /^added d\/new\n@@ -1,0 \+1,1 @@\n\+n\nmodified f\n@@ -1,6 \+1,6 @@ hunk 1/,
    );
    expect(stdout).toContain("\n-line 3\n+three\n");
    expect(stdout).toMatch(/\ndeleted gone\n@@ -1,1 \+1,0 @@\n-x\n$/);
    const { stdout: summary } = await cli.run(["diff", "box", "--stat"]);
    expect(summary).toMatch(/\n 3 paths changed, 3 lines added, 3 removed\n$/);
    const applied = await cli.run(["apply", "box"]);
    expect([applied.code, applied.stdout]).toEqual([
      0,
      "added d\nadded d/new\nmodified f\ndeleted gone\n",
    ]);
    const text = LINES.replace("line 3\n", "three\n").replace("line 30\n", "thirty\n");
    expect(readTree(cli.workspace)).toEqual({
      d: "directory 755",
      "d/new": "644 n\n",
      f: `644 ${text}`,
    });
    const after = await cli.run(["diff", "box"]);
    expect([after.stdout, after.stderr]).toEqual(["", "Nothing has changed.\n"]);
  });

  test("`apply` takes paths and hunks, and tells JSON", async () => {
    await inside(CHANGE);
    const { code, stdout } = await cli.run(["apply", "box", "./d/", "--json"]);
    const kind = "added";
    const applied = [
      { path: "d", kind },
      { path: "d/new", kind },
    ];
    expect([code, JSON.parse(stdout)]).toEqual([0, { applied, held: [] }]);
    expect((await cli.run(["apply", "box", "--hunk", "f:2"])).stdout).toBe("modified f\n");
    expect(readFileSync(at("f"), "utf8")).toBe(LINES.replace("line 30\n", "thirty\n"));
    const { stdout: json } = await cli.run(["diff", "box", "--json"]);
    const { changes } = JSON.parse(json) as { changes: { path: string; lines: object }[] };
    expect(changes.map(({ path, lines }) => ({ path, lines }))).toEqual([
      { path: "f", lines: { added: 1, removed: 1 } },
      { path: "gone", lines: { added: 0, removed: 1 } },
    ]);
    expect(refusal(await cli.run(["apply", "box", "absent"]))).toEqual([125, "CHANGE_NOT_FOUND"]);
    expect(refusal(await cli.run(["apply", "box", "--hunk", "f:9"]))).toEqual([
      125,
      "CHANGE_NOT_FOUND",
    ]);
    expect(refusal(await cli.run(["apply", "box", "--patch"]))).toEqual([125, "USAGE"]);
  });

  test("what is held stays, with status 1 and the reason, until it is approved of a stopped sandbox", async () => {
    await inside(`mkdir -p .github/workflows; echo job > ${WORKFLOW}; echo n > new`);
    const { code, stderr } = await cli.run(["apply", "box"]);
    expect([code, existsSync(at("new")), existsSync(at(WORKFLOW))]).toEqual([1, true, false]);
    expect(stderr).toContain(`  ${WORKFLOW}: a CI service runs it, with its secrets\n`);
    const approve = ["apply", "box", "--approve", WORKFLOW];
    expect(refusal(await cli.run(approve))).toEqual([125, "SANDBOX_BUSY"]);
    await cli.run(["stop", "box"]);
    expect(await cli.run(approve)).toMatchObject({ code: 0, stdout: `added ${WORKFLOW}\n` });
    expect(readFileSync(at(WORKFLOW), "utf8")).toBe("job\n");
  });

  test("a conflict is refused as a whole and named; `--overwrite` lets the sandbox's version win", async () => {
    await inside("echo sandbox > f; echo n > new");
    host("f", "host\n");
    const refused = await cli.run(["apply", "box"]);
    expect(refusal(refused)).toEqual([125, "CHANGES_CONFLICT"]);
    expect(refused.stderr).toMatch(/\n {2}f: /);
    expect([readFileSync(at("f"), "utf8"), existsSync(at("new"))]).toEqual(["host\n", false]);
    expect(await cli.run(["apply", "box", "--overwrite", "f"])).toMatchObject({ code: 0 });
    expect([readFileSync(at("f"), "utf8"), existsSync(at("new"))]).toEqual(["sandbox\n", true]);
  });

  test("what both changed is merged, and where that cannot be both versions are shown and one is chosen by name", async () => {
    const git = (...args: string[]): unknown => execFileSync("git", args, { cwd: cli.workspace });
    await cli.run(["stop", "box"]);
    git("init", "-q");
    await cli.run(["start", "box"]);
    await inside("sed -i 's/^line 3$/three/' f; sed -i 's/x/agent/' gone");
    host("f", LINES.replace("line 30\n", "thirty\n"));
    host("gone", "host\n");
    const { stdout } = await cli.run(["diff", "box"]);
    expect(stdout).toContain(
      "modified f\n  merged: you changed it too; what is shown here keeps that\n@@ -1,6 +1,6 @@\n",
    );
    expect(stdout).toContain(
      `modified gone
  conflict: changed in the sandbox and on the host meanwhile
@@ line 1 @@ clash 1 of 1
<<<<<<< yours
-host
||||||| before
 x
======= the sandbox's
+agent
>>>>>>>
`,
    );
    expect((await cli.run(["diff", "box", "--stat"])).stdout).toMatch(
      / f .*  merged\n gone .*  conflict\n/,
    );
    expect(refusal(await cli.run(["apply", "box"]))).toEqual([125, "CHANGES_CONFLICT"]);
    expect(readFileSync(at("f"), "utf8")).not.toContain("three");
    expect((await cli.run(["apply", "box", "--keep", "gone"])).stdout).toBe(
      "modified f: merged with what you changed\nkept gone: as you have it\n",
    );
    expect(readFileSync(at("f"), "utf8")).toBe(
      LINES.replace("line 3\n", "three\n").replace("line 30\n", "thirty\n"),
    );
    expect(readFileSync(at("gone"), "utf8")).toBe("host\n");
    expect((await cli.run(["diff", "box"])).stderr).toBe("Nothing has changed.\n");
  });

  test("`rm` is refused while they are not applied; `discard` drops them, of a stopped sandbox", async () => {
    await inside("echo n > new");
    expect(refusal(await cli.run(["rm", "box"]))).toEqual([125, "CHANGES_UNAPPLIED"]);
    expect(refusal(await cli.run(["discard", "box"]))).toEqual([125, "USAGE"]);
    expect(refusal(await cli.run(["discard", "box", "--yes"]))).toEqual([125, "SANDBOX_BUSY"]);
    await cli.run(["stop", "box"]);
    expect(await cli.run(["discard", "box", "--yes"])).toMatchObject({ code: 0 });
    expect((await cli.run(["diff", "box"])).stderr).toBe("Nothing has changed.\n");
    expect(Object.keys(readTree(cli.workspace))).toEqual(["f", "gone"]);
  });

  describe("on a terminal", () => {
    const open = (environment: Record<string, string> = {}): Screen =>
      new Screen({ cwd: cli.workspace, environment: { ...cli.environment, ...environment } });

    test("`diff` paints what it shows and gives it to the pager, unless it may not", async () => {
      await inside("echo new > f");
      using screen = open({ NO_COLOR: "", PAGER: "sed 's/^/paged: /' | cat -v" });
      screen.enter(`clear; ${cli.quote("diff", "box")}; echo "status=$?"`);
      await screen.shows("paged: ^[[32m+new^[[0m\nstatus=0");
      screen.enter(`clear; NO_COLOR=1 ${cli.quote("diff", "box", "--stat")}; echo "status=$?"`);
      await screen.shows(/^paged: {2}f \| modified[^^]*\nstatus=0/);
      screen.enter(`clear; ${cli.quote("diff", "box", "--no-pager")}; echo "status=$?"`);
      await screen.shows("\n+new\nstatus=0");
    });

    test("`apply --patch` asks hunk by hunk, and `discard` before it drops", async () => {
      await inside(CHANGE);
      using screen = open();
      screen.enter(`clear; ${cli.quote("apply", "box", "f", "gone", "--patch")}; echo "status=$?"`);
      await screen.shows(/\+three[^]*Apply hunk 1 of 2\?/);
      screen.press("Down", "Enter");
      await screen.shows(/\+thirty[^]*Apply hunk 2 of 2\?/);
      screen.press("Enter");
      await screen.shows(/deleted gone[^]*Apply this change\?/);
      screen.press("Down", "Down", "Enter");
      await screen.shows(/modified f\nstatus=0/);
      expect(readFileSync(at("f"), "utf8")).toBe(LINES.replace("line 30\n", "thirty\n"));
      expect(existsSync(at("gone"))).toBe(true);
      await cli.run(["stop", "box"]);
      screen.enter(`clear; ${cli.quote("discard", "box")}; echo "status=$?"`);
      await screen.shows(/Drop \d+ changes of box for good\?/);
      screen.press("Enter");
      await screen.shows(/code: INTERRUPTED[^]*status=/);
      expect((await cli.run(["diff", "box"])).stdout).toContain("+three");
    });
  });
});
