import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CommandLineYard } from "../support/command-line-yard.ts";
import { readSessions, toScript } from "../support/documented-session.ts";
import { KIRO_NEEDS } from "../support/kiro-needs.ts";
import { allOf, program, requirement, root } from "../support/requirement.ts";

const PAGE = "docs/troubleshooting.md";
const BIN = join(import.meta.dirname, "../../bin");

const canUnshare = requirement("user namespaces", () => {
  const { status } = spawnSync("unshare", ["-U", "-r", "-m", "true"]);
  return status === 0 ? undefined : "this machine makes none";
});
const needs = allOf(root(), KIRO_NEEDS, canUnshare, program("curl"));

/** Removing sandboxes needs a runtime again. */
const CLEAR = `
  cattlegrid daemon stop
  umount /usr/bin/crun /usr/bin/runc /usr/sbin/runc /usr/bin/runsc /usr/local/bin/runsc
  cattlegrid reset --yes`;
/** Without any runtime: what is at their places can be executed by nobody. */
const NO_RUNTIME = `
  for program in /usr/bin/crun /usr/bin/runc /usr/sbin/runc /usr/bin/runsc /usr/local/bin/runsc; do
    if [ -e $program ]; then mount --bind /dev/null $program; fi
  done`;

describe.skipIf(!needs.met)(
  needs.title("the commonest errors read as the manual shows them:"),
  () => {
    let yard: CommandLineYard;
    const sessions = readSessions(PAGE);
    beforeAll(async () => {
      yard = await CommandLineYard.open();
      mkdirSync(join(yard.root, "home/hello"));
      // Installed before: how that goes is told once, and by another page.
      const place = { directory: join(yard.root, "home/hello") };
      await yard.run(["run", "kiro", "--name", "kiro-hello", "--", "--version"], place);
    }, 120_000);
    afterAll(() => yard?.close());

    /** `state`: an installation of its own, for a machine on which no daemon can have started before. */
    function play(session: string, wrapping: { before?: string; state?: string } = {}): string {
      const { before = "", state = "state" } = wrapping;
      const file = join(yard.root, "session.sh");
      const script = `{ :; ${before}\n}\nexec 2>&1\n${toScript(session)}`;
      writeFileSync(
        file,
        `${script}\n[ ${state} = state ] || { ${CLEAR}\n} > /dev/null 2>&1\nexit 0`,
      );
      const namespace = before === "" ? [] : ["unshare", "-U", "-r", "-m"];
      const [command, ...argv]: [string, ...string[]] = ["env", ...namespace, "bash", file];
      const output = execFileSync(command, argv, {
        cwd: join(yard.root, "home/hello"),
        encoding: "utf8",
        stdio: ["ignore", "pipe", "pipe"],
        env: {
          ...yard.environment,
          PATH: `${BIN}:${yard.environment["PATH"] ?? ""}`,
          CATTLEGRID_HOME: join(yard.root, state),
        },
      });
      return output.replaceAll(join(yard.root, "home"), "/home/ada");
    }

    test.each([
      [
        0,
        "no user namespaces",
        { before: "echo 0 > /proc/sys/user/max_user_namespaces", state: "none" },
      ],
      [1, "no runtime", { before: NO_RUNTIME, state: "bare" }],
      [2, "a wrong workspace", {}],
      [3, "a denied host", {}],
      [4, "nobody signed in", {}],
    ] as const)("%i: %s", (index, _title, wrapping) => {
      const session = sessions[index] ?? "";
      const played = play(session, wrapping);
      if (process.env["UPDATE_TRANSCRIPTS"] === "1") update(session, played);
      expect(played).toBe(process.env["UPDATE_TRANSCRIPTS"] === "1" ? played : session);
    });

    test("there are five of them", () => {
      expect(sessions).toHaveLength(5);
    });
  },
);

/** For whoever changes what the program says, and reads the difference. */
function update(session: string, played: string): void {
  const path = join(import.meta.dirname, "../..", PAGE);
  const indent = (text: string): string => text.replaceAll(/^(?=.)/gm, "    ");
  const text = readFileSync(path, "utf8");
  writeFileSync(
    path,
    text.replace(indent(session), () => indent(played)),
  );
}
