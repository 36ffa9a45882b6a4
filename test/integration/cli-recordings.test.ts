import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { parseCast } from "../../src/protocol/asciicast.ts";
import { CommandLine } from "../support/command-line.ts";
import { allOf, program } from "../support/requirement.ts";
import { Screen } from "../support/screen.ts";

const canRecord = allOf(program("crun"), program("tmux"));

describe.skipIf(!canRecord.met)(canRecord.title("recordings of the command line"), () => {
  let cli: CommandLine;
  beforeAll(async () => {
    cli = new CommandLine();
    await cli.run(["run", "shell", "--name", "box", "--", "-c", "true"]);
  });
  afterAll(() => cli.close());

  const at = (name: string): string => join(cli.workspace, name);
  const printed = (text: string): string =>
    (parseCast(text)?.events ?? []).map(([, kind, data]) => (kind === "o" ? data : "")).join("");

  test("a command is recorded outside the sandbox, listed, replayed, exported, and gone with the sandbox", async () => {
    await cli.run(["create", "shell", "--name", "other"]);
    await cli.run(["start", "other"]);
    const script = "printf 'one\\ntwo\\n'; sleep 0.3; printf '\\033[32mgreen\\033[0m\\n' >&2";
    const ran = await cli.run(["exec", "--record", "other", "--", "sh", "-c", script]);
    expect(ran.code).toBe(0);
    const { recordings } = JSON.parse(
      (await cli.run(["logs", "other", "--recordings", "--json"])).stdout,
    );
    expect(recordings).toHaveLength(1);
    const file = join(
      cli.environment["CATTLEGRID_HOME"] ?? "",
      "recordings",
      recordings[0].sandboxId,
      `${recordings[0].id}.cast`,
    );
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const replayed = await cli.run(["logs", "other", "--replay"]);
    expect(replayed.stdout).toBe("one\r\ntwo\r\n\u001b[32mgreen\u001b[0m\r\n");
    expect((await cli.run(["logs", "other", "--replay", "--export", at("out.cast")])).code).toBe(0);
    expect(readFileSync(at("out.cast"), "utf8")).toBe(readFileSync(file, "utf8"));
    const cast = parseCast(readFileSync(file, "utf8"));
    expect(cast?.events.at(-1)?.[0]).toBeGreaterThan(0.2);
    const again = await cli.run(["logs", "other", "--replay", "--export", at("out.cast")]);
    expect([again.code, readFileSync(file, "utf8")]).toEqual([
      125,
      readFileSync(at("out.cast"), "utf8"),
    ]);
    await cli.run(["rm", "other"]);
    expect(existsSync(file)).toBe(false);
  });

  test("nothing recorded is said as such, and a recording that would go at once wants a file", async () => {
    const none = await cli.run(["logs", "box", "--replay"]);
    expect(none.code).toBe(125);
    expect(none.stderr).toContain("RECORDING_NOT_FOUND");
    const gone = await cli.run(["run", "shell", "--rm", "--record", "--", "-c", "true"]);
    expect(gone.stderr).toContain("--record=FILE");
  });

  test("a session that is left is recorded on; what is typed and not shown is in no recording", async () => {
    using screen = new Screen({ cwd: cli.workspace, environment: cli.environment });
    await screen.shows("HOST>");
    screen.enter(`clear; ${cli.quote("run", "--name", "box", "--record")}`);
    await screen.shows(/\$ ?$/);
    screen.enter("read -s word; echo taken; sleep 1; echo la''ter; exec sleep 1000");
    screen.enter("hunter2");
    await screen.shows(/^taken$/m);
    screen.press("C-p", "C-q");
    await screen.shows("left box");
    const read = async (): Promise<string> => (await cli.run(["logs", "box", "--replay"])).stdout;
    await vi.waitFor(async () => expect(await read()).toMatch(/later/), {
      timeout: 20_000,
      interval: 200,
    });
    expect(await read()).not.toContain("hunter2");
    screen.enter(`clear; ${cli.quote("attach", "box", "--record=seen.cast")}`);
    await screen.shows(/later/);
    screen.press("C-c");
    await screen.shows("the recording is in");
    expect(printed(readFileSync(at("seen.cast"), "utf8"))).toContain("^C");
  });

  test("is played with its own timing, faster, and only where it fits", async () => {
    const script = "echo step 1; sleep 0.2; echo over";
    await cli.run(["exec", "--record", "box", "--", "sh", "-c", script]);
    const surroundings = { cwd: cli.workspace, environment: cli.environment };
    using small = new Screen(surroundings);
    small.enter(`clear; ${cli.quote("logs", "box", "--replay")}; echo "status=$?"`);
    await small.shows(/120×30, this terminal 100×40[^]*status=125/);
    using large = new Screen({ ...surroundings, columns: 130 });
    const flags = ["--speed", "50", "--idle-limit", "1s"];
    large.enter(`clear; ${cli.quote("logs", "box", "--replay", ...flags)}; echo "status=$?"`);
    await large.shows(/step 1[^]*over[^]*status=0/);
  });

  test("a session is recorded into a file by whoever looks at it", async () => {
    const ran = await cli.run([
      "run",
      "shell",
      "--name",
      "box",
      `--record=${at("run.cast")}`,
      "--",
      "-c",
      "echo ran",
    ]);
    expect([ran.code, printed(readFileSync(at("run.cast"), "utf8"))]).toEqual([0, "ran\r\n"]);
  });
});
