import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { FakeDaytona } from "../../simulator/daytona/daytona.ts";
import { REQUEST_FAULTS, type RequestFault } from "../../simulator/daytona/faults.ts";
import type { RunningSandbox, SandboxProvider } from "../../src/sandbox/provider.ts";
import { answer, NEVER, run, SandboxYard, sh } from "../../src/testing/conformance/sandbox-yard.ts";
import { RawDaytona } from "../support/daytona-client.ts";
import { providerAt } from "../support/daytona-rig.ts";
import { DAYTONA_NEEDS, openFakeDaytona } from "../support/fake-daytona.ts";

const MIB = 1024 * 1024;
const MINUTE_MS = 60_000;
const PATIENCE = { pingMs: 500 };
const CREATE = { method: "POST", path: /\/sandbox$/ };
const RENEW = { method: "POST", path: /last-activity$/ };
const EXECUTE = { method: "POST", path: /process\/execute$/ };
const digest = (text: string): string => createHash("sha256").update(text).digest("hex");
/** A line for each of so many numbers, none like another. */
const NUMBERS = "i=0; while [ $i -lt 2000 ]; do echo line-$i; i=$((i+1)); done";
const numbers = Array.from({ length: 2000 }, (_, i) => `line-${i}\n`).join("");

describe.skipIf(!DAYTONA_NEEDS.met)(DAYTONA_NEEDS.title("a program at Daytona"), () => {
  let daytona: FakeDaytona;
  let yard: SandboxYard;
  let sandbox: RunningSandbox;
  beforeAll(async () => {
    daytona = await openFakeDaytona();
    yard = new SandboxYard((place) => providerAt(daytona, { ...place, patience: PATIENCE }));
    sandbox = await yard.start({ addresses: { reach: "everything" } });
  });
  afterEach(() => daytona.faults.clear());
  afterAll(async () => {
    await yard.close();
    await daytona[Symbol.asyncDispose]();
  });

  test.each([
    ["lost tail", { kind: "lose-tail", bytes: 60 }],
    [
      "an exit that is told before the last bytes",
      { kind: "early-exit", bytes: 60, until: Promise.resolve() },
    ],
    ["dropped in the middle", { kind: "drop", afterBytes: 9000 }],
    ["half open in the middle", { kind: "half-open", afterBytes: 9000 }],
    [
      "closed as too slow",
      { kind: "close", afterBytes: 9000, code: 1008, reason: "slow consumer" },
    ],
    ["refused at first", { kind: "error", message: "no terminal left" }],
    ["without a subprotocol", { kind: "no-subprotocol" }],
  ] as const)("%s: every byte arrives once, and one program has run", async (_name, fault) => {
    await answer(sandbox, "rm -f /tmp/starts");
    const armed = daytona.faults.onTerminal({ terminalId: /^cattlegrid-/ }, fault);
    const done = await sh(sandbox, `echo started >>/tmp/starts; ${NUMBERS}; echo end >&2; exit 7`);
    expect(done).toEqual({ code: 7, output: numbers, errors: "end\n" });
    expect(armed.hits).toBe(1);
    daytona.faults.clear();
    expect(await answer(sandbox, "cat /tmp/starts")).toBe("started");
  });

  test("a launch line that comes in pieces, with the echo of the shell around it, is not shown", async () => {
    const terminal = { columns: 40, rows: 9 };
    const { output } = await run(sandbox, ["sh", "-c", "stty size"], { terminal });
    expect(output).toBe("9 40\r\n");
  });

  test("a prompt is data: of any length, with any bytes, and never an option of ours", async () => {
    const control = Array.from({ length: 31 }, (_, i) => String.fromCharCode(i + 1)).join("");
    const long = `--help\t${control}\n'"$(touch /tmp/owned) \\\n\u00e9\u{1f404}`.padEnd(
      100_000,
      "x\ty",
    );
    const done = await run(sandbox, ["sh", "-c", 'printf %s "$1"', "sh", long]);
    expect([done.code, digest(done.output)]).toEqual([0, digest(long)]);
    expect((await sh(sandbox, "ls /tmp/owned")).code).not.toBe(0);
  });

  test("a slow reader holds the program up and loses nothing", async () => {
    const bytes = 24 * MIB;
    const program = await sandbox.exec(
      { argv: ["sh", "-c", `head -c ${bytes} /dev/zero; echo done >/tmp/slow`] },
      NEVER,
    );
    await new Promise((resolve) => program.output.once("readable", resolve));
    let readBytes = 0;
    for await (const chunk of program.output) readBytes += (chunk as Buffer).length;
    expect([readBytes, await program.ended]).toEqual([bytes, { kind: "exited", code: 0 }]);
  });

  test("a start whose answer is lost starts one program", async () => {
    await answer(sandbox, "rm -f /tmp/starts");
    const armed = daytona.faults.onRequest(EXECUTE, { kind: "reset-after" });
    const done = await sh(sandbox, "echo started >>/tmp/starts; sleep 0.2");
    expect([done.code, armed.hits]).toEqual([0, 1]);
    expect(await answer(sandbox, "cat /tmp/starts")).toBe("started");
  });

  test("input that was sent twice is read once", async () => {
    const program = await sandbox.exec({ argv: ["cat"] }, NEVER);
    daytona.faults.onRequest(EXECUTE, { kind: "reset-after" });
    program.input.end("once\n");
    let output = "";
    for await (const chunk of program.output) output += String(chunk);
    expect(output).toBe("once\n");
  });

  test("a terminal is resized, and an interrupt reaches its program", async () => {
    const script = "trap 'stty size; exit 4' INT; echo ready; while :; do sleep 0.1; done";
    const terminal = { columns: 40, rows: 9 };
    const program = await sandbox.exec({ argv: ["sh", "-c", script], terminal }, NEVER);
    let output = "";
    program.output.on("data", (bytes: Buffer) => (output += bytes.toString()));
    await expect.poll(() => output, { timeout: 15_000 }).toContain("ready");
    program.resize({ columns: 77, rows: 21 });
    await daytona.log.until(EXECUTE, daytona.log.count(EXECUTE) + 1);
    program.input.write("\u0003");
    expect(await program.ended).toEqual({ kind: "exited", code: 4 });
    expect(output).toContain("21 77\r\n");
  });

  test("is lost with a reason when its sandbox is deleted under it, and the sandbox has died", async () => {
    const doomed = await yard.start();
    const program = await doomed.exec({ argv: ["sleep", "300"] }, NEVER);
    const raw = new RawDaytona(daytona);
    const { json } = await raw.api("GET", "/sandbox");
    const items = (json as { items: { id: string; labels: Record<string, string> }[] }).items;
    const own = items.find(({ labels }) => labels["cattlegrid-sandbox"] === doomed.id);
    await raw.api("DELETE", `/sandbox/${own?.id}`);
    const reason = expect.stringMatching(
      /^Daytona (deleted the sandbox|has the sandbox in the state destroy)/,
    );
    expect(await program.ended).toMatchObject({ kind: "lost", code: 125, reason });
    expect(await doomed.ended).toMatchObject({ kind: "died" });
    const late = await sh(doomed, "true").catch((error: unknown) => error);
    expect(late).toMatchObject({ code: "SANDBOX_NOT_RUNNING" });
  });
});

describe.skipIf(!DAYTONA_NEEDS.met)(DAYTONA_NEEDS.title("a sandbox at Daytona"), () => {
  let daytona: FakeDaytona;
  let raw: RawDaytona;
  let directory: string;
  let provider: SandboxProvider;
  const specification = (id: string) => ({
    id,
    name: id,
    protectedPaths: [],
    homeLayers: [],
    toolchains: [],
    environment: {},
    certificates: [],
    limits: {},
  });
  const start = (id: string, by = provider): Promise<RunningSandbox> =>
    by.start(specification(id), { onCapture: () => undefined }, NEVER);
  const another = (patience = {}): SandboxProvider =>
    providerAt(daytona, { stateDirectory: directory, patience });
  interface Listed {
    id: string;
    state: string;
    labels: Record<string, string>;
    networkBlockAll: boolean;
    autoDeleteInterval: number;
  }
  const listed = async (): Promise<readonly Listed[]> =>
    ((await raw.api("GET", "/sandbox")).json as { items: Listed[] }).items;

  beforeAll(async () => {
    daytona = await openFakeDaytona();
    raw = new RawDaytona(daytona);
  });
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "cg-daytona-provider-"));
    provider = another();
  });
  afterEach(async () => {
    daytona.faults.clear();
    await provider.reap(new Set());
    await provider.close();
    await provider.reap(new Set());
    rmSync(directory, { recursive: true, force: true });
  });
  afterAll(() => daytona[Symbol.asyncDispose]());

  test.each<[string, string, RequestFault]>([
    ["a key that is not accepted", "PROVIDER_FORBIDDEN", REQUEST_FAULTS.unauthorized()],
    ["a region that is forbidden", "PROVIDER_FORBIDDEN", REQUEST_FAULTS.forbidden()],
    ["a page in place of the API", "PROVIDER_FAILED", REQUEST_FAULTS.html()],
    ["an error of the service", "PROVIDER_FAILED", REQUEST_FAULTS.serverError(500)],
  ])("%s is %s, and nothing is left", async (_name, code, fault) => {
    const armed = daytona.faults.onRequest(CREATE, fault, { times: 99 });
    const failure = await start("one").catch((error: unknown) => error);
    armed.disarm();
    expect(failure).toMatchObject({ code, hint: expect.stringMatching(/./) });
    expect(String((failure as Error).message)).not.toContain(daytona.key);
    expect(await listed()).toEqual([]);
  });

  test("a quota that is used up is told as such, and nothing is left", async () => {
    const { cpu } = daytona.quota.total;
    daytona.quota.total.cpu = 0;
    const failure = await start("one").catch((error: unknown) => error);
    daytona.quota.total.cpu = cpu;
    expect(failure).toMatchObject({ code: "PROVIDER_QUOTA_EXCEEDED" });
    expect(await listed()).toEqual([]);
  });

  test("one that cannot be built is told with the service's reason, and is deleted", async () => {
    daytona.faults.onCreate({ kind: "error", reason: "no runner is free" });
    const failure = await start("one").catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "PROVIDER_FAILED" });
    expect((failure as Error).message).toContain("no runner is free");
    expect(await listed()).toEqual([]);
  });

  test("a rate limit is waited for", async () => {
    const armed = daytona.faults.onRequest(CREATE, REQUEST_FAULTS.rateLimit("sandbox-create", 1));
    expect((await sh(await start("one"), "true")).code).toBe(0);
    expect(armed.hits).toBe(1);
  });

  test("a lost answer to its making makes no second one", async () => {
    daytona.faults.onRequest(CREATE, { kind: "reset-after" });
    expect((await sh(await start("one"), "true")).code).toBe(0);
    expect((await listed()).length).toBe(1);
  });

  test("a service that says nothing is PROVIDER_UNREACHABLE, and what it made meanwhile is found", async () => {
    const impatient = another({ answerMs: 300 });
    const armed = daytona.faults.onRequest({}, { kind: "silence" }, { times: 99 });
    const failure = await start("one", impatient).catch((error: unknown) => error);
    armed.disarm();
    expect(failure).toMatchObject({ code: "PROVIDER_UNREACHABLE" });
  });

  test("lets nothing out unless it is told to, by the service's word read back", async () => {
    const sandbox = await start("one");
    expect((await listed())[0]?.networkBlockAll).toBe(true);
    await sandbox.limitAddresses?.({ reach: "everything" });
    expect((await listed())[0]?.networkBlockAll).toBe(false);
    const six = { reach: "ranges", cidrs: ["2001:db8::/32"] } as const;
    await expect(sandbox.limitAddresses?.(six)).rejects.toMatchObject({
      code: "PROVIDER_UNSUPPORTED",
    });
    await sandbox.limitAddresses?.({ reach: "nothing" });
    expect((await listed())[0]?.networkBlockAll).toBe(true);
  });

  test("is kept for as long as somebody here has it, however long nobody asks anything of it", async () => {
    const attentive = another({ renewMs: 10 });
    const sandbox = await start("one", attentive);
    const pass = async (hours: number): Promise<void> => {
      for (let minutes = 0; minutes < hours * 60; minutes += 12) {
        await daytona.clock.advance(12 * MINUTE_MS);
        // The second to be answered was sent after the hands were moved.
        await daytona.log.until(RENEW, daytona.log.count(RENEW) + 2);
      }
    };
    await pass(2);
    // An agent that thinks: nothing comes for hours.
    const program = await sandbox.exec({ argv: ["sleep", "600"] }, NEVER);
    await pass(2);
    await program.kill();
    expect((await listed())[0]?.state).toBe("started");
    expect((await sh(sandbox, "echo here")).output).toBe("here\n");
    await attentive.close();
  });

  test("is stopped by the service after a quarter of an hour that nobody has it, and deleted three days after that", async () => {
    const forgotten = another({ renewMs: 10 * 60 * MINUTE_MS });
    const sandbox = await start("one", forgotten);
    await daytona.clock.advance(14 * MINUTE_MS);
    expect((await listed())[0]?.state).toBe("started");
    await daytona.clock.advance(MINUTE_MS);
    expect((await listed())[0]?.state).toBe("stopped");
    const late = await sh(sandbox, "true").catch((error: unknown) => error);
    expect(late).toMatchObject({ code: "SANDBOX_NOT_RUNNING" });
    expect(await sandbox.ended).toEqual({
      kind: "died",
      reason: "Daytona has the sandbox in the state stopped",
    });
    await daytona.clock.advance(3 * 24 * 60 * MINUTE_MS);
    expect(await listed()).toEqual([]);
  });

  test("has a lease that ends by itself, and is kept for longer once it is stopped in good order", async () => {
    const sandbox = await start("one");
    expect((await listed())[0]?.autoDeleteInterval).toBe(3 * 24 * 60);
    await sandbox.stop();
    expect((await listed())[0]).toMatchObject({ state: "stopped", autoDeleteInterval: 43_200 });
    expect((await sh(await start("one"), "true")).code).toBe(0);
  });

  test("one that was leaked is found by its label and deleted, and nobody else's is", async () => {
    await start("leaked");
    await start("wanted");
    const foreign = await raw.make({ name: "foreign" });
    const next = another();
    expect(await next.reap(new Set(["wanted"]))).toEqual(["leaked"]);
    const left = await listed();
    expect(left.map(({ id, labels }) => labels["cattlegrid-sandbox"] ?? id).toSorted()).toEqual(
      ["wanted", foreign].toSorted(),
    );
    expect(left.find(({ labels }) => labels["cattlegrid-sandbox"] === "wanted")?.state).toBe(
      "stopped",
    );
    await next.destroy("wanted");
    await next.destroy("wanted");
    expect((await listed()).map(({ id }) => id)).toEqual([foreign]);
    await raw.api("DELETE", `/sandbox/${foreign}`);
  });

  test("one of the same name that is somebody else's is left alone", async () => {
    await start("one");
    const [own] = await listed();
    await raw.api("PUT", `/sandbox/${own?.id}/labels`, { labels: {} });
    const failure = await start("one", another()).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "NAME_IN_USE" });
    expect((await listed()).length).toBe(1);
    await raw.api("DELETE", `/sandbox/${own?.id}`);
  });
});
