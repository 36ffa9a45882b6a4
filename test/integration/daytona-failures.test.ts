import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { REQUEST_FAULTS, type RequestFault } from "../../simulator/daytona/faults.ts";
import type { FakeSandbox } from "../../simulator/daytona/sandbox.ts";
import type { Patience } from "../../src/sandbox/providers/daytona/patience.ts";
import { DaytonaDesk } from "../support/daytona-desk.ts";
import { DAYTONA_NEEDS } from "../support/fake-daytona.ts";
import { allOf, program } from "../support/requirement.ts";

const NEEDS = allOf(DAYTONA_NEEDS, program("git"));
const CREATE = { method: "POST", path: /\/sandbox$/ };
const MANY = { times: 999 };
const UNUSED_PORT = await unusedPort();
const NEVER = new Promise<never>(() => undefined);
const DAY_MS = 86_400_000;

async function unusedPort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

describe.skipIf(!NEEDS.met)(
  NEEDS.title("what goes wrong at Daytona, as the command line tells it"),
  () => {
    let line: DaytonaDesk;
    beforeAll(async () => {
      line = await DaytonaDesk.open();
    });
    beforeEach(() => line.clear());
    afterAll(() => line?.close());

    const request =
      (fault: RequestFault, options = MANY) =>
      (): void =>
        void line.daytona.faults.onRequest(CREATE, fault, options);

    interface Row {
      title: string;
      code: string;
      says: RegExp;
      hint: RegExp;
      exit?: number;
      environment?: Record<string, string>;
      waits?: Partial<Patience>;
      arm?(): void;
    }

    test.each<Row>([
      {
        title: "no key at all",
        code: "PROVIDER_CREDENTIAL_MISSING",
        says: /no key of Daytona's/,
        hint: /cattlegrid secret set DAYTONA_API_KEY/,
        environment: { DAYTONA_API_KEY: "" },
      },
      {
        title: "a key that is not accepted",
        code: "PROVIDER_FORBIDDEN",
        says: /does not accept the key/,
        hint: /cattlegrid secret set DAYTONA_API_KEY/,
        environment: { DAYTONA_API_KEY: "dtn_wrong" },
      },
      {
        title: "a region that is forbidden",
        code: "PROVIDER_FORBIDDEN",
        says: /forbids this: .*mars/,
        hint: /DAYTONA_TARGET names the region/,
        environment: { DAYTONA_TARGET: "mars" },
      },
      {
        title: "a quota that is used up",
        code: "PROVIDER_QUOTA_EXCEEDED",
        says: /Total CPU limit exceeded/,
        hint: /./,
        arm: () => void (line.daytona.quota.total.cpu = 0),
      },
      {
        title: "a rate limit that lets nobody in",
        code: "PROVIDER_RATE_LIMITED",
        says: /Too Many Requests/,
        hint: /./,
        arm: request(REQUEST_FAULTS.rateLimit("sandbox-create", 0)),
      },
      {
        title: "errors of the service without an end",
        code: "PROVIDER_FAILED",
        says: /Simulated failure of the service/,
        hint: /./,
        arm: request(REQUEST_FAULTS.serverError(503)),
      },
      {
        title: "a sandbox that cannot be made",
        code: "PROVIDER_FAILED",
        says: /no runner is free/,
        hint: /./,
        arm: () =>
          void line.daytona.faults.onCreate({ kind: "error", reason: "no runner is free" }),
      },
      {
        title: "a sandbox that is made slower than we wait",
        code: "TIMED_OUT",
        says: /did not start the sandbox within 2 seconds/,
        hint: /./,
        exit: 124,
        waits: { startMs: 2000 },
        arm: () => void line.daytona.faults.onCreate({ kind: "slow", until: NEVER }),
      },
      {
        title: "connections on which nothing ever comes",
        code: "PROVIDER_UNREACHABLE",
        says: /did not answer in time/,
        hint: /DAYTONA_API_URL/,
        waits: { answerMs: 200 },
        arm: request({ kind: "silence" }),
      },
      {
        title: "a page for people in place of the API",
        code: "PROVIDER_FAILED",
        says: /text\/html.*not Daytona's API/,
        hint: /DAYTONA_API_URL, which ends with \/api/,
        arm: request(REQUEST_FAULTS.html()),
      },
      {
        title: "a gateway's page with an error",
        code: "PROVIDER_FAILED",
        says: /text\/html.*status 502/,
        hint: /DAYTONA_API_URL/,
        arm: request(REQUEST_FAULTS.html(502)),
      },
      {
        title: "an address where nobody listens",
        code: "PROVIDER_UNREACHABLE",
        says: /cannot be reached \(ECONNREFUSED\)/,
        hint: /DAYTONA_API_URL/,
        environment: { DAYTONA_API_URL: `http://127.0.0.1:${UNUSED_PORT}/api` },
      },
      {
        title: "an address that is not encrypted",
        code: "PROVIDER_SETTINGS_INVALID",
        says: /not encrypted/,
        hint: /https/,
        environment: { DAYTONA_API_URL: "http://daytona.example/api" },
      },
      {
        title: "an account that may not limit what its sandboxes reach",
        code: "EGRESS_UNAVAILABLE",
        says: /did not take over what the sandbox may reach/,
        hint: /tier 3/,
        arm: () => void (line.daytona.account.networkLimits = "ignored"),
      },
    ])(
      "$title: $code, and nothing is left",
      async ({ code, says, hint, exit = 125, environment = {}, waits, arm }) => {
        const { cpu } = line.daytona.quota.total;
        Object.assign(line.patience, waits);
        arm?.();
        const result = await line.chat("echo never", environment);
        line.daytona.quota.total.cpu = cpu;
        line.daytona.account.networkLimits = "kept";
        expect(result.stderr).toMatch(says);
        expect(result).toMatchObject({ code: exit, stdout: "" });
        expect(result.stderr).toContain(`code: ${code}\n`);
        expect(/hint: (.*)/.exec(result.stderr)?.[1]).toMatch(hint);
        expect(result.stderr).not.toMatch(/dtn_/);
        expect(await line.left()).toEqual([]);
      },
    );

    const watchMaking = (): readonly FakeSandbox[] => {
      const made: FakeSandbox[] = [];
      line.daytona.events.on("sandbox", (sandbox) => void made.push(sandbox));
      return made;
    };

    test("errors that pass, a limit that lets us in, silence and a lost answer: one sandbox is made", async () => {
      const made = watchMaking();
      const once = { times: 1 };
      line.patience.answerMs = 500;
      request(REQUEST_FAULTS.serverError(503), once)();
      request(REQUEST_FAULTS.rateLimit("sandbox-create", 0), once)();
      request({ kind: "silence" }, once)();
      request({ kind: "reset-after" }, once)();
      expect(await line.chat("echo well")).toMatchObject({ code: 0, stdout: "well\n" });
      expect(made.length).toBe(1);
      expect(await line.left()).toEqual([]);
    });

    test.each([
      ["ahead", DAY_MS],
      ["behind", -DAY_MS],
    ])("a clock at Daytona that is a day %s changes nothing", async (_where, skewMs) => {
      line.daytona.clock.skew(skewMs);
      expect(await line.chat("echo well")).toMatchObject({ code: 0, stdout: "well\n" });
      line.daytona.clock.skew(-skewMs);
      expect(await line.left()).toEqual([]);
    });
  },
);
