import { spawn } from "node:child_process";
import type { ChildProcess, StdioOptions } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, stat } from "node:fs/promises";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { startKiroCloud } from "./cloud/cloud.ts";
import type { KiroCloud } from "./cloud/cloud.ts";
import { summariseEgress } from "./egress-summary.ts";
import type { EgressLine } from "./egress-summary.ts";

const CATTLEGRID = join(import.meta.dirname, "..", "bin", "cattlegrid");
const SANDBOX = "demo";
const PACE_MS = 12;
/** How often the waiting login asks; nobody watches it wait when the demo approves by itself. */
const POLL_SECONDS = { automatic: 0.2, manual: 1 };
const INTERRUPTED = 130;
/** A page that no rule allows. */
const ELSEWHERE = "https://example.com";

const TURNS = [
  "Write donut.js, a program that draws a donut as ASCII art, and run it.",
  "Remember my name is Ada.",
  "What is my name?",
];

/** What one run of the demo owns; all of it is gone at the end, however it ends. */
interface Demo {
  /** Nobody is asked: no terminal, or --auto. */
  isAutomatic: boolean;
  cloud: KiroCloud;
  workspace: string;
  environment: NodeJS.ProcessEnv;
  interruption: Interruption;
}

interface Interruption extends Disposable {
  /** Set once a signal wants the demo to end. */
  exitCode: number | undefined;
  /** The command that runs now, which a signal has to reach. */
  child: ChildProcess | undefined;
}

async function main(): Promise<number> {
  const isAutomatic =
    process.argv.includes("--auto") || !process.stdin.isTTY || !process.stdout.isTTY;
  using interruption = watchSignals();
  await using stack = new AsyncDisposableStack();
  const root = await mkdtemp(join(tmpdir(), "cattlegrid-demo-"));
  const stateDirectory = join(root, "state");
  stack.defer(() => removeEverything(root, stateDirectory));
  const workspace = join(root, "workspace");
  await mkdir(workspace);
  const cloud = stack.use(
    await startKiroCloud({
      directory: join(root, "cloud"),
      approval: isAutomatic ? "auto" : "manual",
      enterApproves: !isAutomatic,
      paceMs: PACE_MS,
      pollIntervalSeconds: isAutomatic ? POLL_SECONDS.automatic : POLL_SECONDS.manual,
    }),
  );
  if (!isAutomatic) cloud.events.on("waiting", () => remind(cloud));
  const environment = createEnvironment(cloud, stateDirectory);
  return await playDemo({ isAutomatic, cloud, workspace, environment, interruption });
}

/** The caller's environment without settings of Cattlegrid's: an installation of its own, and the mirrors. */
function createEnvironment(cloud: KiroCloud, stateDirectory: string): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith("CATTLEGRID_"));
  return {
    ...Object.fromEntries(own),
    CATTLEGRID_HOME: stateDirectory,
    CATTLEGRID_MIRRORS: cloud.mirrors,
    CATTLEGRID_MIRROR_CA: cloud.authorityPath,
  };
}

async function playDemo(demo: Demo): Promise<number> {
  introduce(demo);
  const { workspace } = demo;
  const named = [workspace, "--name", SANDBOX];
  if (demo.isAutomatic) {
    explain("Make a sandbox, install Kiro CLI in it (a simulator), and sign in (simulated).");
    const login = ["run", "kiro", ...named, "--", "login", "--use-device-flow"];
    const status = await run(demo, login);
    if (status !== 0) return status;
  }
  explain("Three turns without any approval, all in one conversation.");
  const prompts = TURNS.flatMap((prompt) => ["--prompt", prompt]);
  const status = await run(demo, ["chat", "kiro", ...named, ...prompts]);
  if (status !== 0) return status;
  process.stdout.write("\n");
  await stat(join(workspace, "donut.js"));
  explain("The same sandbox asks for a page that no rule allows.");
  if ((await run(demo, ["exec", SANDBOX, "--", "curl", "-sS", ELSEWHERE])) === 0) {
    throw new Error(`${ELSEWHERE} could be reached from the sandbox`);
  }
  const recorded = await showEgress(demo);
  if (recorded !== 0 || demo.isAutomatic) return recorded;
  explain("Your turn, in a new conversation. Ask for anything; Ctrl+D ends the demo.");
  return run(demo, ["chat", "kiro", ...named]);
}

async function showEgress(demo: Demo): Promise<number> {
  explain("What left the sandbox, and what was refused, in short.");
  const chunks: Buffer[] = [];
  const onOutput = (bytes: Buffer): void => void chunks.push(bytes);
  const status = await run(demo, ["logs", SANDBOX, "--egress", "--json"], onOutput);
  const lines = Buffer.concat(chunks).toString().split("\n");
  const records = lines.filter((line) => line !== "").map((line) => JSON.parse(line) as EgressLine);
  for (const line of summariseEgress(records)) say(line);
  return status;
}

function introduce({ isAutomatic, cloud }: Demo): void {
  say(
    "Cattlegrid's demo: a real sandbox behind a real gateway; Kiro CLI and its cloud are simulated.",
  );
  say("No account is used, and nothing leaves this machine.");
  if (isAutomatic) return;
  say("");
  say("Kiro will show a code. Choose a method with the arrow keys and Enter, then approve it at");
  say(`    ${cloud.approvalUrl}   (simulated; a page on this machine)`);
  say("or by pressing Enter once more.");
}

/** Kiro prints its real address, where nobody knows the simulated code. The terminal is in raw mode by now. */
function remind({ approvalUrl }: KiroCloud): void {
  process.stdout.write(
    `\r\n\r\n(simulated) Press Enter to approve, or open ${approvalUrl} instead of the address above.\r\n`,
  );
}

function explain(text: string): void {
  say(`\n${process.stdout.isTTY ? `\u001b[1m${text}\u001b[0m` : text}`);
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Runs one command of the public command line and gives its exit status. Its output is shown, or given away. */
async function run(
  demo: Demo,
  words: readonly string[],
  onOutput?: (bytes: Buffer) => void,
): Promise<number> {
  const { interruption, isAutomatic, environment } = demo;
  if (interruption.exitCode !== undefined) return interruption.exitCode;
  say(`$ cattlegrid ${words.map(quote).join(" ")}`);
  const output = onOutput === undefined ? "inherit" : "pipe";
  const stdio: StdioOptions = [isAutomatic ? "ignore" : "inherit", output, "inherit"];
  const child = spawn(CATTLEGRID, words, { env: environment, stdio });
  if (onOutput !== undefined) child.stdout?.on("data", onOutput);
  interruption.child = child;
  const status = await untilEnded(child);
  interruption.child = undefined;
  return interruption.exitCode ?? status;
}

/**
 * Ends the daemon with everything it holds, then removes the files; a session of its own keeps a second
 * Ctrl+C away from it. What could not be ended keeps its files, or nothing could end it later.
 */
async function removeEverything(root: string, stateDirectory: string): Promise<void> {
  say("\nRemoving the demo's sandbox and state.");
  const child = spawn(CATTLEGRID, ["reset", "--yes"], {
    env: { ...process.env, CATTLEGRID_HOME: stateDirectory },
    stdio: ["ignore", "ignore", "pipe"],
    detached: true,
  });
  const complaints: Buffer[] = [];
  child.stderr.on("data", (bytes: Buffer) => complaints.push(bytes));
  if ((await untilEnded(child)) !== 0) {
    throw new Error(
      `the state could not be removed: ${Buffer.concat(complaints).toString()}` +
        `Try again with: CATTLEGRID_HOME=${stateDirectory} ${CATTLEGRID} reset --yes && rm -r ${root}`,
    );
  }
  await rm(root, { recursive: true, force: true });
}

async function untilEnded(child: ChildProcess): Promise<number> {
  const [status, signal] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
  return status ?? 128 + constants.signals[signal ?? "SIGTERM"];
}

/**
 * A terminal sends Ctrl+C to the running command too, which knows best what it means: at the prompt it
 * only cancels a turn. So the demo ends by Ctrl+C when that command does, or when none runs. Other
 * signals, and SIGINT from a script, end both.
 */
function watchSignals(): Interruption {
  const interruption: Interruption = {
    exitCode: undefined,
    child: undefined,
    [Symbol.dispose]() {
      for (const [signal, listener] of listeners) process.off(signal, listener);
    },
  };
  const listeners = (["SIGINT", "SIGTERM", "SIGHUP"] as const).map((signal) => {
    const listener = (): void => {
      if (signal === "SIGINT" && process.stdin.isTTY && interruption.child !== undefined) return;
      interruption.exitCode = 128 + constants.signals[signal];
      interruption.child?.kill(signal);
    };
    process.on(signal, listener);
    return [signal, listener] as const;
  });
  return interruption;
}

function quote(word: string): string {
  return /^[\w./:=@-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

// A terminal that was closed takes no more text; what is left to do is to clear away.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EIO" && error.code !== "EPIPE") throw error;
  });
}
try {
  const status = await main();
  if (status === INTERRUPTED) say("The demo was interrupted.");
  else if (status !== 0) process.stderr.write(`The demo ended with ${String(status)}.\n`);
  process.exitCode = status;
} catch (error) {
  process.stderr.write(`The demo failed: ${(error as Error).message}\n`);
  process.exitCode = 1;
}
