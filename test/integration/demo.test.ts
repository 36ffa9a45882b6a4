import { existsSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { KIRO_NEEDS } from "../support/kiro-needs.ts";
import { allOf, program } from "../support/requirement.ts";
import { RunningProgram } from "../support/running-program.ts";
import { mountsNaming, processesNaming } from "../support/traces.ts";

const DEMO = join(import.meta.dirname, "../../simulator/demo.ts");
const ON_A_TERMINAL = allOf(KIRO_NEEDS, program("script"), program("stty"));
/** A line of the torus: nothing but its shades, and several of them. */
const SHADED = /^ *[.,\-~:;=!*#$@ ]{12,80}$/;
const CTRL_C = "\u0003";
const CTRL_D = "\u0004";

let root: string;
let running: RunningProgram | undefined;
beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), "cg-demo-")));
  for (const folder of ["home", "temporary", "runtime"]) {
    mkdirSync(join(root, folder), { mode: folder === "runtime" ? 0o700 : 0o755 });
  }
});
afterEach(() => {
  // Only a test that failed leaves it running.
  running?.child.kill("SIGKILL");
  rmSync(root, { recursive: true, force: true });
});

const NOTHING = { processes: [], mounts: [], temporary: [], runtime: [], hasState: false };

function left(): object {
  return {
    processes: processesNaming(root),
    mounts: mountsNaming(root),
    temporary: readdirSync(join(root, "temporary")),
    runtime: readdirSync(join(root, "runtime")),
    hasState: existsSync(join(root, "home/.local")),
  };
}

function start(argv: readonly string[]): RunningProgram {
  const environment = {
    PATH: process.env["PATH"] ?? "",
    HOME: join(root, "home"),
    TMPDIR: join(root, "temporary"),
    XDG_RUNTIME_DIR: join(root, "runtime"),
    XDG_CACHE_HOME: join(root, "cache"),
    KIRO_SIMULATOR_CACHE: process.env["KIRO_SIMULATOR_CACHE"] ?? join(root, "releases"),
    TERM: "xterm-256color",
    LANG: "C.UTF-8",
    SHELL: "/bin/sh",
  };
  running = new RunningProgram(argv, { environment, directory: root });
  return running;
}

function startInTerminal(): RunningProgram {
  const shell = `stty rows 40 cols 100; exec '${process.execPath}' '${DEMO}'`;
  return start(["script", "-qefc", shell, "/dev/null"]);
}

/** Where each text is, every one behind the one before. */
function positions(text: string, parts: readonly string[]): number[] {
  let from = 0;
  return parts.map((part) => (from = text.indexOf(part, from)));
}

describe.skipIf(!KIRO_NEEDS.met)(KIRO_NEEDS.title("the demo without a terminal"), () => {
  test("installs once, draws the torus, knows the name, shows a refusal, and leaves nothing", async () => {
    const demo = start([process.execPath, DEMO, "--auto"]);
    demo.end();
    const { exitCode, stdout, stderr } = await demo.finished;
    expect([exitCode, stderr.toString().match(/Installing Kiro CLI/g)]).toEqual([
      0,
      ["Installing Kiro CLI"],
    ]);
    const text = stdout.toString();
    const found = positions(text, [
      "Kiro CLI and its cloud are simulated",
      "-- login --use-device-flow",
      "Logged in successfully",
      "create the following file: donut.js",
      "I will run the following command: node donut.js",
      "I will remember your name.",
      "Your name is Ada.",
      "curl -sS https://example.com",
      "allowed  runtime.us-east-1.kiro.dev:443",
      "refused  example.com",
      "Removing the demo's sandbox and state.",
    ]);
    expect(found).not.toContain(-1);
    const torus = text.split("\n").filter((line) => SHADED.test(line) && line.trim() !== "");
    expect(torus.length).toBeGreaterThanOrEqual(18);
    expect(torus.join("")).toMatch(/@[^]*\./);
    expect(left()).toEqual(NOTHING);
  });
});

describe.skipIf(!ON_A_TERMINAL.met)(ON_A_TERMINAL.title("the demo on a terminal"), () => {
  test("is approved on its page or with Enter, and goes on to a prompt", async () => {
    const demo = startInTerminal();
    await demo.until(/Use with Your Organization/);
    demo.write("\r");
    const text = await demo.until(/\(simulated\) Press Enter to approve/);
    const page = /open (http:\/\/127\.0\.0\.1:\d+\/)/.exec(text)![1]!;
    const code = /Code: (\S+)/.exec(text)![1]!;
    expect(await (await fetch(page)).text()).toContain("simulated");
    const body = new URLSearchParams({ user_code: code });
    expect((await fetch(`${page}approve`, { method: "POST", body })).status).toBe(200);
    await demo.until(/Your turn[^]*> \u001B\[3G$/);
    demo.write("Remember my name is Zoe.\r");
    await demo.until(/Nice to meet you, Zoe[^]*> \u001B\[3G$/);
    demo.write(CTRL_D);
    expect((await demo.finished).exitCode).toBe(0);
    expect(left()).toEqual(NOTHING);
  });

  test.each([
    { when: "while Kiro is being installed", at: /Installing Kiro CLI/, keys: [], status: 130 },
    { when: "while it waits for approval", at: /Enter to approve/, keys: ["\r"], status: 121 },
    { when: "in a turn", at: /write a small program/, keys: ["\r", "\r"], status: 130 },
  ])("ends by Ctrl+C $when", async ({ at, keys, status }) => {
    const demo = startInTerminal();
    await reach(demo, at, keys);
    demo.write(CTRL_C);
    const { exitCode: ended, text } = await demo.finished;
    expect(text).toContain("Removing the demo's sandbox and state.");
    expect(ended).toBe(status);
    expect(left()).toEqual(NOTHING);
  });

  test("clears away when its terminal is closed in a turn", async () => {
    const demo = startInTerminal();
    await reach(demo, /write a small program/, ["\r", "\r"]);
    demo.child.kill("SIGKILL");
    await demo.finished;
    await expect.poll(left, { timeout: 30_000, interval: 50 }).toEqual(NOTHING);
  });

  /** The first key chooses a method, the second approves. */
  async function reach(
    demo: RunningProgram,
    moment: RegExp,
    keys: readonly string[],
  ): Promise<void> {
    const shown = [/Use with Your Organization/, /Press Enter to approve/];
    for (const [index, key] of keys.entries()) {
      await demo.until(shown[index]!);
      demo.write(key);
    }
    await demo.until(moment);
  }
});
