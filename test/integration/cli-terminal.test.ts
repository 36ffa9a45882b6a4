import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, afterEach, describe, expect, test } from "vitest";
import { CommandLine } from "../support/command-line.ts";
import { allOf, program } from "../support/requirement.ts";
import { Screen } from "../support/screen.ts";

const canShow = allOf(program("crun"), program("tmux"), program("stty"));

describe.skipIf(!canShow.met)(canShow.title("the command line on a terminal"), () => {
  let cli: CommandLine;
  let screen: Screen;

  beforeAll(async () => {
    cli = new CommandLine();
    await cli.run(["run", "shell", "--name", "box", "--", "-c", "true"]);
  });
  afterAll(() => cli.close());
  beforeEach(async () => {
    screen = new Screen({ cwd: cli.workspace, environment: cli.environment });
    await screen.shows("HOST>");
    screen.enter("stty -a | tail -n +2 > before");
  });
  afterEach(() => screen[Symbol.dispose]());

  function enterCommand(...argv: readonly string[]): void {
    const command = `(echo $BASHPID > pid; exec ${cli.quote(...argv)})`;
    const after = 'echo "status=$?"; stty -a | tail -n +2 > after; echo over';
    screen.enter(`clear; ${command}; ${after}`);
  }

  const read = (name: string): string => readFileSync(join(cli.workspace, name), "utf8");

  /** The command has ended with that status and the terminal is as it was. */
  async function isBack(status: number): Promise<void> {
    await screen.shows(new RegExp(`status=${status}\nover`));
    expect(read("after")).toBe(read("before"));
    expect(screen.modes()).toBe("0 1");
  }

  test("runs a shell in raw mode, at the terminal's size and type, and ends with its status", async () => {
    enterCommand("run", "--name", "box");
    await screen.shows(/ctrl-p ctrl-q leaves the session[^]*\$ ?$/);
    screen.enter('echo "$(stty size) $TERM $LANG"');
    await screen.shows(/^40 100 (tmux|screen)\S* C\.UTF-8$/m);
    screen.resize(90, 30);
    screen.enter("stty size");
    await screen.shows(/^30 90$/m);
    screen.enter("echo asleep; sleep 100");
    await screen.shows(/^asleep$/m);
    screen.press("C-c");
    await screen.shows(/\^C\n.*\$ ?$/);
    screen.enter("echo after-interrupt=$?");
    await screen.shows("after-interrupt=130");
    screen.enter("exit 6");
    await isBack(6);
  });

  test("keeps a session that is left, which goes on and is joined again with every byte of it", async () => {
    enterCommand("run", "--name", "box");
    await screen.shows(/\$ ?$/);
    screen.enter("mark=before; sleep 0.5; seq 1 5; echo seq-ended");
    screen.press("C-p", "C-q");
    await screen.shows("left box; join it with: cattlegrid attach box");
    await isBack(0);
    using second = new Screen({ cwd: cli.workspace, environment: cli.environment });
    second.enter(`clear; ${cli.quote("attach", "box")}; echo "status=$?"`);
    await second.shows(/\n1\n2\n3\n4\n5\nseq-ended\n/);
    second.enter('echo "mark is $mark"; exit 3');
    await second.shows("mark is before");
    await second.shows("status=3");
  });

  test("shows a full-screen program as it is to whoever joins, and to several at once", async () => {
    enterCommand("run", "--name", "box");
    await screen.shows(/\$ ?$/);
    screen.enter(
      "printf '\\033[?1049h\\033[2J\\033[3;5Hfull \\033[1mscreen\\033[0m'; read -n 4 keys; tput rmcup; echo got $keys",
    );
    await screen.shows(/^ +full screen$/m);
    using second = new Screen({ cwd: cli.workspace, environment: cli.environment });
    second.enter(`clear; ${cli.quote("attach", "box")}; echo "status=$?"`);
    await second.shows(/^ +full screen$/m);
    using looker = new Screen({ cwd: cli.workspace, environment: cli.environment });
    looker.enter(`clear; ${cli.quote("attach", "--read-only", "box")}; echo "status=$?"`);
    await looker.shows(/^ +full screen$/m);
    looker.type("xxxx");
    second.type("ab");
    screen.type("cd");
    for (const each of [screen, second, looker]) await each.shows(/got abcd/);
    looker.press("C-c");
    await looker.shows("status=0");
    second.press("C-p", "C-q");
    await second.shows("status=0");
    screen.enter("exit 4");
    await isBack(4);
  });

  test("joins a session whose first output is no longer kept, at what still is", async () => {
    enterCommand("run", "--name", "box");
    await screen.shows(/\$ ?$/);
    screen.enter("seq 1 200000; echo counted");
    await screen.shows(/^counted$/m);
    screen.press("C-p", "C-q");
    await isBack(0);
    using second = new Screen({ cwd: cli.workspace, environment: cli.environment });
    second.enter(`clear; ${cli.quote("attach", "box")}; echo "status=$?"`);
    await second.shows(/\n200000\ncounted\n/);
    second.enter("exit 4");
    await second.shows("status=4");
  });

  test.each([
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const)(
    "gives the terminal back on %s, whatever the program did to it",
    async (signal, status) => {
      enterCommand("exec", "box", "--", "sh", "-c", UGLY);
      await expect.poll(() => screen.modes(), { timeout: 10_000 }).toBe("1 0");
      process.kill(Number(read("pid")), signal);
      await isBack(status);
    },
  );

  test("gives the terminal back when the daemon is killed, and says what happened", async () => {
    enterCommand("exec", "box", "--", "sh", "-c", UGLY);
    await expect.poll(() => screen.modes(), { timeout: 10_000 }).toBe("1 0");
    const { pid } = JSON.parse(readFileSync(cli.paths.daemonFile, "utf8")) as { pid: number };
    process.kill(pid, "SIGKILL");
    await isBack(125);
    expect(screen.text()).toContain("code: DAEMON_UNREACHABLE");
    expect((await cli.run(["start", "box"])).code).toBe(0);
  });

  test("forgets what was typed before the program was there", async () => {
    enterCommand("exec", "box", "--", "sh", "-c", "echo ready; head -n 1 | od -An -c");
    screen.enter("stale");
    await screen.shows("ready");
    screen.enter("fresh");
    await isBack(0);
    expect(screen.text()).toMatch(/f {3}r {3}e {3}s {3}h/);
    expect(screen.text()).not.toMatch(/s {3}t {3}a {3}l {3}e/);
  });

  test("changes no byte of what a program in raw mode writes", async () => {
    const script = String.raw`stty raw; printf 'ab\ncd\r\n'; stty cooked`;
    enterCommand("exec", "box", "--", "sh", "-c", script);
    await isBack(0);
    expect(screen.text()).toMatch(/^ab\n {2}cd$/m);
  });

  test("with one end a pipe there is no terminal inside", async () => {
    enterCommand("exec", "box", "--", "sh", "-c", "tty; echo err >&2");
    await screen.shows("/dev/pts/");
    await isBack(0);
    screen.enter(`clear; ${cli.quote("exec", "box", "tty")} | cat`);
    await screen.shows("not a tty");
  });

  test("goes on in raw mode after it was stopped and continued", async () => {
    const script = "stty raw -echo; echo ready; head -c 3 | od -An -c";
    screen.enter(
      `clear; (echo $BASHPID > pid; exec ${cli.quote("exec", "box", "sh", "-c", script)})`,
    );
    await screen.shows(/^ready$/m);
    expect(screen.flags()).toContain("-icanon");
    process.kill(Number(read("pid")), "SIGSTOP");
    await screen.shows("Stopped");
    expect(screen.flags()).not.toContain("-opost");
    screen.enter("clear; fg");
    await expect.poll(() => screen.flags(), { timeout: 10_000 }).toContain("-opost");
    screen.type("a\u0003b");
    await screen.shows(/a 003 {3}b/);
    await screen.shows(/HOST> ?$/);
  });

  test("asks for an agent, and takes no for an answer", async () => {
    enterCommand("run");
    await screen.shows(/Which agent\?|What shall run\?/);
    screen.press("C-c");
    await isBack(130);
  });

  describe("asked for an agent", () => {
    const CHOSEN = /^│ +● ([^(\n]+?) *(\(|$)/m;
    const isChosen = async (wanted: (title: string | undefined) => boolean): Promise<string> => {
      await expect
        .poll(() => wanted(CHOSEN.exec(screen.text())?.[1]), { timeout: 20_000 })
        .toBe(true);
      return CHOSEN.exec(screen.text())?.[1] ?? "";
    };

    test("a person goes down and up, past the end, and picks with Enter", async () => {
      enterCommand("run");
      const first = await isChosen((title) => title !== undefined);
      screen.press("Down");
      const second = await isChosen((title) => title !== first);
      screen.press("Down");
      await isChosen((title) => title !== first && title !== second);
      screen.press("Up", "Up");
      await isChosen((title) => title === first);
      screen.press("Up");
      await isChosen((title) => title?.toLowerCase() === "shell");
      screen.press("Enter");
      await screen.shows(/ctrl-p ctrl-q leaves the session[^]*\$ ?$/);
      screen.enter("exit 4");
      await isBack(4);
    });

    test.each(["Escape", "C-c"])("a person leaves with %s, and nothing was made", async (key) => {
      const { stdout: before } = await cli.run(["ls"]);
      enterCommand("run");
      await isChosen((title) => title !== undefined);
      screen.press("Down", key);
      await isBack(130);
      expect((await cli.run(["ls"])).stdout).toBe(before);
    });

    test("a narrow window shows the list and takes the keys", async () => {
      screen.resize(34, 12);
      enterCommand("run");
      const first = await isChosen((title) => title !== undefined);
      screen.press("Down");
      await isChosen((title) => title !== undefined && title !== first);
      screen.press("C-c");
      await screen.shows(/status=130\s+over/);
    });
  });

  test("a closed terminal ends neither the session nor leaves the program", async () => {
    enterCommand("run", "--name", "box");
    await screen.shows(/\$ ?$/);
    screen.enter("sleep 1; echo survived > survived.txt; exit");
    screen[Symbol.dispose]();
    const file = join(cli.workspace, "survived.txt");
    await expect.poll(() => existsSync(file), { timeout: 10_000 }).toBe(true);
    screen = new Screen({ cwd: cli.workspace, environment: cli.environment });
  });
});

/** Hides the cursor on another screen in raw mode, as an editor does, and never tidies up. */
const UGLY = `stty raw -echo; printf '\\033[?1049h\\033[?25lugly'; sleep 100`;
