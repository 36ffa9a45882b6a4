import { once } from "node:events";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { TerminalFault } from "../../simulator/daytona/faults.ts";
import type { FakeSandbox } from "../../simulator/daytona/sandbox.ts";
import { collect, type CommandResult } from "../support/command-line.ts";
import { DaytonaDesk, LOCKED } from "../support/daytona-desk.ts";
import { DAYTONA_NEEDS } from "../support/fake-daytona.ts";
import { allOf, program } from "../support/requirement.ts";

const NEEDS = allOf(DAYTONA_NEEDS, program("git"));
/** A line for each of so many numbers, none like another. */
const NUMBERS = "i=0; while [ $i -lt 2000 ]; do echo line-$i; i=$((i+1)); done";
const numbers = Array.from({ length: 2000 }, (_, i) => `line-${i}\n`).join("");

describe.skipIf(!NEEDS.met)(
  NEEDS.title("what is lost at Daytona under a turn, as the command line tells it"),
  () => {
    let line: DaytonaDesk;
    beforeAll(async () => {
      line = await DaytonaDesk.open();
    });
    beforeEach(() => line.clear());
    afterAll(() => line?.close());

    const only = (): FakeSandbox => {
      const [sandbox] = line.daytona.sandboxes.list();
      if (sandbox === undefined) throw new TypeError("nothing at the service");
      return sandbox;
    };

    interface Loss {
      how: string;
      reason: RegExp;
      strike(): Promise<void>;
      /** What `start` and `diff` tell afterwards. */
      start: Partial<CommandResult>;
      diff: string;
    }

    test.each<Loss>([
      {
        how: "stopped, as for idleness,",
        reason: /in the state stopp(ing|ed)/,
        strike: () => line.daytona.sandboxes.stop(only()),
        start: { code: 0 },
        diff: "-old\n+new\n",
      },
      {
        how: "archived",
        reason: /in the state archived/,
        strike: () => line.daytona.sandboxes.force(only(), "archived"),
        start: { code: 0 },
        diff: "-old\n+new\n",
      },
      {
        how: "deleted",
        reason: /Daytona deleted the sandbox/,
        strike: () => line.daytona.sandboxes.destroy(only()),
        start: { code: 0, stderr: expect.stringContaining("Sending all of") as string },
        diff: "",
      },
      {
        how: "failed by its runner",
        reason: /in the state error: out of memory/,
        strike: () => line.daytona.sandboxes.force(only(), "error", "out of memory"),
        start: {
          code: 125,
          stderr: expect.stringMatching(/out of memory[^]*PROVIDER_FAILED/) as string,
        },
        diff: "",
      },
    ])(
      "a sandbox that is $how under a turn: SANDBOX_LOST with the reason, 125, and the next start has what is left",
      async ({ reason, strike, start, diff }) => {
        const prompt = "echo new >f; echo begun; sleep 600";
        const running = line.cli.spawn([
          "chat",
          "scribe",
          ...LOCKED,
          "--name",
          "box",
          "--prompt",
          prompt,
        ]);
        const ended = collect(running);
        await once(running.stdout ?? running, "data");
        await strike();
        const { code, stderr } = await ended;
        expect(stderr).toMatch(new RegExp(`${reason.source}[^]*code: SANDBOX_LOST`));
        expect(code).toBe(125);
        expect(await line.cli.run(["start", "box"])).toMatchObject(start);
        expect((await line.cli.run(["diff", "box"])).stdout).toContain(diff);
        expect(await line.cli.run(["rm", "--force", "box"])).toMatchObject({ code: 0 });
        expect(await line.left()).toEqual([]);
      },
    );

    describe("the sight of a turn", () => {
      beforeAll(async () => {
        await line.cli.run(["create", "scribe", ...LOCKED, "--name", "seen"]);
        await line.cli.run(["start", "seen"]);
      });
      afterAll(() => line.cli.run(["rm", "--force", "seen"]));

      test.each<[string, TerminalFault]>([
        ["is dropped again and again", { kind: "drop", afterBytes: 9000 }],
        [
          "is closed for a slow reader",
          { kind: "close", afterBytes: 9000, code: 1008, reason: "slow consumer" },
        ],
        ["goes dead", { kind: "half-open", afterBytes: 9000 }],
        ["ends before the last bytes", { kind: "lose-tail", bytes: 60 }],
      ])("%s: every byte arrives once, and one program has run", async (_how, fault) => {
        const armed = line.daytona.faults.onTerminal({ terminalId: /^cattlegrid-/ }, fault, {
          times: 3,
        });
        const prompt = `echo started >>~/starts; ${NUMBERS}; cat ~/starts; rm ~/starts`;
        const result = await line.cli.run(["chat", "--name", "seen", "--prompt", prompt]);
        expect(result).toMatchObject({ code: 0, stdout: `${numbers}started\n` });
        expect(armed.hits).toBeGreaterThan(0);
      });
    });
  },
);
