/** Kills engine, keeper and runtime in the middle of each step of a sandbox's life; what is left is recognised and works again. */
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { CattlegridError } from "../../src/errors/error.ts";
import { spawnProcess } from "../../src/platform/process.ts";
import { createLocalProvider } from "../../src/sandbox/providers/local/provider.ts";
import { answer, NEVER, SandboxYard } from "../../src/testing/conformance/sandbox-yard.ts";
import {
  commandOf,
  keeperOf,
  membersOf,
  runtimesOf,
  unlessGone,
} from "../support/process-table.ts";
import { allOf, program } from "../support/requirement.ts";

const RUNTIME = allOf(program("crun"), program("unshare"));
const ENGINE = join(import.meta.dirname, "fault-engine.ts");
/** How far into a step it is cut off: its first instruction, and where things are half made. */
const DELAYS_MS = [0, 12];

describe.skipIf(!RUNTIME.met)(RUNTIME.title("a fault in the middle of a step"), () => {
  let yard: SandboxYard;
  let project: string;
  beforeEach(() => {
    yard = new SandboxYard(createLocalProvider);
    project = yard.makeDirectory("project");
  });
  afterEach(async () => yard.close());

  /** Runs the life up to the step, kills the engine so long after, and gives back the step it had come to. */
  async function cutOff(step: string, afterMs: number): Promise<string> {
    const directories = ["state", "run"].map((name) => join(yard.directory, name));
    const argv = [process.execPath, ENGINE, ...directories, project];
    const engine = spawnProcess(argv, { stdio: ["ignore", "pipe", "inherit"] });
    let said = "";
    await new Promise<void>((resolve) => {
      engine.stdout?.on("data", (bytes: Buffer) => {
        said += String(bytes);
        if (said.includes(`${step}\n`)) resolve();
      });
    });
    await delay(afterMs);
    const [, keeper] = keeperOf(engine.pid ?? -1);
    const members = keeper === undefined ? [] : membersOf(keeper);
    const exited = engine.exitCode === null ? once(engine, "exit") : undefined;
    engine.kill("SIGKILL");
    await exited;
    const isLeft = (): boolean => members.some((pid) => commandOf(pid) !== "");
    while (isLeft()) await delay(5);
    return said.trimEnd().split("\n").at(-1) ?? "";
  }

  test.each(["create", "start", "exec", "stop", "destroy"])(
    "kill -9 of the engine in %s leaves what the next one starts, uses and removes",
    async (step) => {
      for (const afterMs of DELAYS_MS) {
        const reached = await cutOff(step, afterMs);
        const provider = yard.another();
        try {
          await provider.reap(new Set(["one"]));
          const left = unlessGone(() => readdirSync(join(yard.directory, "run"))) ?? [];
          expect(left.filter((name) => name !== "keeper-cache")).toEqual([]);
          const specification = yard.specify({
            id: "one",
            workspace: { path: project, mode: "direct" },
          });
          await provider.create(specification, NEVER);
          const sandbox = await yard.startAgain(specification, provider);
          expect(await answer(sandbox, "echo new >~/g && cat ~/g && pwd")).toBe(`new\n${project}`);
          const kept = await answer(sandbox, "cat ~/f f 2>/dev/null; true");
          expect(kept).toContain(reached === "stop" ? "kept\nkept" : "");
          await sandbox.stop();
          await provider.destroy("one");
          expect(readdirSync(join(yard.directory, "state/sandboxes"))).toEqual([]);
          expect(readdirSync(join(yard.directory, "state/trash"))).toEqual([]);
        } finally {
          await provider.close();
        }
      }
    },
  );

  test.each(["keeper", "runtime"])(
    "kill -9 of the %s in the middle of starts and execs is a typed failure, and the next ones work",
    async (victim) => {
      await (await yard.start()).stop();
      const find = (): readonly number[] => {
        const [, keeper] = keeperOf(process.pid);
        if (victim === "keeper") return keeper === undefined ? [] : [keeper];
        return runtimesOf(process.pid);
      };
      for (const afterMs of DELAYS_MS) {
        const id = `fault-${victim}-${afterMs}`;
        const life = (async () => {
          const sandbox = await yard.start({ id });
          return answer(sandbox, "echo fine");
        })();
        const settled = life.catch((error: unknown) => error);
        await delay(afterMs);
        const killed = find();
        for (const pid of killed) unlessGone(() => process.kill(pid, "SIGKILL"));
        const outcome = await settled;
        // Whoever asks before the end is noticed gets the same failure.
        while (killed.some((pid) => commandOf(pid) !== "")) await delay(5);
        if (victim === "keeper") while (keeperOf(process.pid)[1] === killed[0]) await delay(5);
        expect(outcome === "fine" || CattlegridError.is(outcome) || outcome).toBe(true);
        const next = await yard.start();
        expect(await answer(next, "echo works")).toBe("works");
        await next.stop();
      }
    },
  );
});
