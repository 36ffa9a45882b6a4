/**
 * Kills daemon, keeper and runtime in the middle of each step that a user asks for through the API; the next daemon takes up
 * what is left, and the same steps then come to the same end.
 */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ensureDaemon, findDaemon } from "../../src/platform/daemon-start.ts";
import { resolvePaths, type Paths } from "../../src/platform/paths.ts";
import { removeState } from "../../src/platform/state-removal.ts";
import { ApiClient, type Answer } from "../support/api-client.ts";
import { readTree } from "../support/overlay-yard.ts";
import { commandOf, keeperOf, membersOf, runtimesOf } from "../support/process-table.ts";
import { allOf, program } from "../support/requirement.ts";
import { TerminalClient } from "../support/terminal-client.ts";

const RUNTIME = allOf(program("crun"), program("unshare"));
const STEPS = ["create", "start", "exec", "apply", "stop", "rm"] as const;
type Step = (typeof STEPS)[number];
/** How far into a step it is cut off, where things are half made. */
const AFTER_MS: Readonly<Record<Step, number>> = {
  create: 2,
  start: 12,
  exec: 10,
  apply: 15,
  stop: 8,
  rm: 8,
};
const FILES = 200;
const uid = process.getuid?.() ?? -1;
/** What whoever asked is told when the daemon dies. */
const HANG_UPS = ["ECONNRESET", "ECONNREFUSED", "EPIPE", "ENOENT"];

describe.skipIf(!RUNTIME.met)(
  RUNTIME.title("a fault in the middle of what the API was asked for"),
  () => {
    let directory: string;
    let workspace: string;
    let environment: Record<string, string>;
    let paths: Paths;
    let api: ApiClient;
    let pid: number;

    beforeEach(() => {
      directory = realpathSync(mkdtempSync(join(tmpdir(), "cg-faults-")));
      workspace = join(directory, "parent/project");
      mkdirSync(workspace, { recursive: true });
      const home = join(directory, "state");
      environment = { PATH: process.env["PATH"] ?? "", HOME: directory, CATTLEGRID_HOME: home };
      paths = resolvePaths({ environment, uid, homeDirectory: directory });
    });
    afterEach(async () => {
      if (await findDaemon(paths, uid)) await api.call("/v1/shutdown", { method: "POST" });
      while (await findDaemon(paths, uid)) await delay(20);
      await removeState(paths);
      rmSync(directory, { recursive: true, force: true });
    });

    async function ensure(): Promise<void> {
      for (;;) {
        const signal = new AbortController().signal;
        api = new ApiClient(await ensureDaemon({ paths, uid, environment, signal }));
        const version = await orHangUp(api.call("/v1/version"));
        pid = Number(version?.body["pid"]);
        if (version !== undefined) return;
      }
    }

    async function orHangUp<T>(asked: Promise<T>): Promise<T | undefined> {
      return asked.catch((error: unknown) => {
        if (HANG_UPS.includes((error as NodeJS.ErrnoException).code ?? "")) return undefined;
        throw error;
      });
    }

    /** Undefined when the daemon hung up. */
    async function take(step: Step): Promise<Answer | undefined> {
      const at = (path: string): string => `/v1/sandboxes/box${path}`;
      if (step === "create") {
        const body = { agent: "shell", name: "box", workspace, mode: "overlay" };
        return orHangUp(api.call("/v1/sandboxes", { body }));
      }
      if (step === "start") return orHangUp(api.call(at("/start"), { body: {} }));
      if (step === "stop") return orHangUp(api.call(at("/stop"), { method: "POST" }));
      if (step === "rm") return orHangUp(api.call(at(""), { method: "DELETE" }));
      if (step === "apply") return orHangUp(api.call(at("/changes/apply"), { body: {} }));
      const script = `set -e; echo kept >~/kept; for i in $(seq ${FILES}); do echo new $i >f$i; done; rm -f old; cat ~/kept`;
      const answer = await orHangUp(
        api.call(at("/exec"), { body: { argv: ["sh", "-c", script] } }),
      );
      if (answer?.status !== 201) return answer;
      await orHangUp(
        TerminalClient.open(api.socket, `/v1/terminals/${String(answer.body["terminalId"])}`).then(
          (terminal) => terminal.closed,
        ),
      );
      return answer;
    }

    /** Every step from the first to the last comes to its end, whatever was left by those before it. */
    async function liveOn(): Promise<void> {
      for (const step of STEPS) {
        const answer = await take(step);
        expect([step, answer?.status, answer?.body["code"]]).toEqual([
          step,
          expect.toBeOneOf([200, 201, 204]),
          undefined,
        ]);
      }
      expect(readTree(workspace)).toEqual(EXPECTED);
      expect((await api.call("/v1/sandboxes")).body).toEqual({ sandboxes: [] });
      expect(readdirSync(join(directory, "parent"))).toEqual(["project"]);
      expect(existsSync(join(paths.stateDirectory, "changes", "box"))).toBe(false);
    }

    const EXPECTED = Object.fromEntries(
      Array.from({ length: FILES }, (_, index) => [`f${index + 1}`, `644 new ${index + 1}\n`]),
    );

    function reset(): void {
      rmSync(workspace, { recursive: true });
      mkdirSync(workspace);
      writeFileSync(join(workspace, "old"), "old\n");
    }

    async function statusOf(): Promise<unknown> {
      const { body } = await api.call("/v1/sandboxes/box");
      return body["code"] ?? body["status"];
    }

    async function gone(pids: readonly number[]): Promise<void> {
      while (pids.some((each) => commandOf(each) !== "")) await delay(5);
    }

    /** The answer to the step in the middle of which `kill` was called. */
    async function cutOff(step: Step, kill: () => void): Promise<Answer | undefined> {
      for (const before of STEPS.slice(0, STEPS.indexOf(step))) await take(before);
      const asked = take(step);
      await delay(AFTER_MS[step]);
      kill();
      return asked;
    }

    test.each(STEPS)(
      "kill -9 of the daemon in %s: the next one takes the same steps to the same end",
      async (step) => {
        reset();
        await ensure();
        let members: readonly number[] = [];
        await cutOff(step, () => {
          const [, keeper] = keeperOf(pid);
          members = keeper === undefined ? [] : membersOf(keeper);
          process.kill(pid, "SIGKILL");
        });
        await gone([pid, ...members]);
        await ensure();
        // A removal that had begun is taken to its end.
        while ((await statusOf()) === "removing") await delay(20);
        expect(["created", "stopped", "SANDBOX_NOT_FOUND"]).toContain(await statusOf());
        await liveOn();
      },
    );

    test.each(["keeper", "runtime"])(
      "kill -9 of the %s in start, exec and stop is told with a code, and the same daemon goes on",
      async (victim) => {
        await ensure();
        const daemon = pid;
        for (const step of ["start", "exec", "stop"] as const) {
          reset();
          const answer = await cutOff(step, () => {
            const victims = victim === "keeper" ? keeperOf(pid).slice(1) : runtimesOf(pid);
            for (const each of victims) process.kill(each, "SIGKILL");
          });
          const { status = 0, body = {} } = answer ?? {};
          const told = status < 300 ? "done" : String(body["code"]);
          expect([step, told]).toEqual([step, expect.stringMatching(/^done$|^[A-Z]+(_[A-Z]+)+$/)]);
          await api.call("/v1/sandboxes/box/stop", { method: "POST" });
          await liveOn();
        }
        await ensure();
        expect(pid).toBe(daemon);
      },
    );
  },
);
