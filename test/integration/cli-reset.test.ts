import { spawnSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { CommandLine } from "../support/command-line.ts";
import { allOf, program, root } from "../support/requirement.ts";

const MOUNTING = allOf(program("crun"), program("unshare"), program("mount"), root());

test.skipIf(!MOUNTING.met)(
  MOUNTING.title("`reset` removes the state where nothing can make sandboxes any more"),
  async () => {
    const cli = new CommandLine();
    try {
      await cli.run(["run", "shell", "--name", "box", "--", "-c", "true"]);
      expect(await cli.run(["daemon", "stop"])).toMatchObject({ code: 0 });
      writeFileSync(join(cli.directory, "no-program"), "");
      const hidden =
        "for each in crun unshare; do mount --bind ../no-program $(command -v $each) || exit 1; done";
      const script = `${hidden}; exec ${cli.quote("reset", "--yes")}`;
      const { status, stderr } = spawnSync("unshare", ["--mount", "sh", "-c", script], {
        cwd: cli.workspace,
        env: cli.environment,
        encoding: "utf8",
      });
      expect([status, existsSync(cli.paths.stateDirectory)]).toEqual([0, false]);
      expect(stderr).toContain("unshare is not installed. Its files are removed all the same.");
    } finally {
      await cli.close();
    }
  },
);
