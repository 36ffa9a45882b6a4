import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CommandLine } from "../support/command-line.ts";
import { allOf, program } from "../support/requirement.ts";
import { Screen } from "../support/screen.ts";

const BIN = join(import.meta.dirname, "../../bin");

/** How each shell is started with nothing of the user's, and reads the completion. */
const SHELLS = {
  bash: {
    start: "PS1='READY> ' exec bash --norc --noprofile -i",
    load: 'eval "$(cg completion bash)"',
  },
  zsh: {
    start: "PS1='READY> ' exec zsh -f -i",
    load: "autoload -U compinit; compinit -u -D; source <(cg completion zsh)",
  },
  fish: { start: "exec fish --no-config -i", load: "cg completion fish | source" },
} as const;

const crun = program("crun");

describe.skipIf(!crun.met)(crun.title("completion"), () => {
  let cli: CommandLine;
  beforeAll(async () => {
    cli = new CommandLine();
    for (const name of ["builder", "other"]) {
      await cli.run(["create", "shell", cli.workspace, "--name", name]);
    }
    writeFileSync(join(cli.workspace, "policy-file.yaml"), "");
    await cli.run(["secret", "set", "forge-token"], { input: "x" });
  });
  afterAll(() => cli.close());

  describe.each(Object.entries(SHELLS))("in %s", (name, shell) => {
    const needs = allOf(program(name), program("tmux"));

    test.skipIf(!needs.met)(
      needs.title("offers verbs, flags, their values, agents and the names of sandboxes"),
      async () => {
        using screen = new Screen({ cwd: cli.workspace, environment: cli.environment });
        await screen.shows("HOST>");
        screen.enter(`export PATH=${BIN}:$PATH; ${shell.start}`);
        screen.enter(`clear; ${shell.load}; echo loa''ded`);
        await screen.shows(/^loaded$/m);
        for (const [typed, whole] of [
          ["cg inspe", "cg inspect"],
          ["cg rm build", "cg rm builder"],
          ["cg run --detach-k", "cg run --detach-keys"],
          ["cg run --mode over", "cg run --mode overlay"],
          ["cg run --mode=over", "cg run --mode=overlay"],
          ["cg create she", "cg create shell"],
          ["cg cp buil", "cg cp builder:"],
          ["cg secret rm forge", "cg secret rm forge-token"],
          ["cg create --policy policy-f", "cg create --policy policy-file.yaml"],
        ] as const) {
          screen.type(typed);
          screen.press("Tab");
          await screen.shows(new RegExp(`${whole.replaceAll(".", "\\.")}`));
          screen.press("C-c");
          screen.enter("clear");
        }
      },
    );
  });

  test("names what was probably meant: a verb, a flag, a sandbox, an agent", async () => {
    for (const [argv, guess] of [
      [["inpsect", "builder"], "Did you mean `cattlegrid inspect`?"],
      [["run", "--detatch"], "Did you mean --detach?"],
      [["inspect", "bulider"], "Did you mean builder?"],
      [["create", "shel"], "Did you mean shell?"],
    ] as const) {
      const { code, stderr } = await cli.run(argv);
      expect([code, stderr]).toEqual([125, expect.stringContaining(guess)]);
    }
    const { stderr } = await cli.run(["inspect", "something-else"]);
    expect(stderr).not.toContain("Did you mean");
  });

  test("is silent where there is nothing to offer, and starts nothing for a first Tab", async () => {
    const fresh = { CATTLEGRID_HOME: join(cli.directory, "fresh") };
    const words = ["completion", "bash", "--", "rm", ""];
    expect(await cli.run(words, { environment: fresh })).toMatchObject({
      code: 0,
      stdout: "",
      stderr: "",
    });
    expect((await cli.run(["daemon", "status"], { environment: fresh })).code).toBe(3);
    expect((await cli.run(["completion", "bash", "--", "nonsense", ""])).stdout).toBe("");
  });
});
