import { once } from "node:events";
import { createServer } from "node:net";
import { setTimeout } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { OWNER, SandboxYard } from "../../../test/support/sandbox-yard.ts";
import type { SandboxCreate } from "../../protocol/sandbox.ts";
import { createFakeProvider } from "../../testing/fake/provider.ts";
import { endTar } from "../../platform/tar/tar-writer.ts";
import type { FakeProgram } from "../../testing/fake/program.ts";
import type { CaptureSockets } from "../capture/capture-sockets.ts";
import type { RunningSandbox, SandboxProvider } from "../provider.ts";

const NEVER = new AbortController().signal;
const TEMPLATE = `version: 1
agent: shell
parameters:
  team: { type: string, default: blue }
environment: { TEAM: "\${parameters.team}" }
`;

/** The fake, which tells what it started, and fails starts when asked to. */
class CountingProvider {
  readonly started: RunningSandbox[] = [];
  readonly provider: SandboxProvider;
  failure: Error | undefined;
  /** Of what the machine has at the moment. */
  lack: Error | undefined;
  /** Handed over by each start, also by one that fails. */
  sockets: CaptureSockets | undefined;
  /** Whether two who ask what the machine has are told at the same moment, or the one after a while. */
  isTogether = false;
  #told = Promise.withResolvers<void>();
  #asking = 0;

  constructor() {
    // By it what a template says is put in place: it sends what lies in the home, and takes what is to be there.
    const sh: FakeProgram = async ({ input, output }) => {
      output.write(endTar());
      await input.toArray();
      return 0;
    };
    const fake = createFakeProvider({ programs: { sh } });
    const start: SandboxProvider["start"] = async (specification, hooks, signal) => {
      if (this.sockets !== undefined) hooks.onCapture(this.sockets);
      if (this.failure !== undefined) throw this.failure;
      const running = await fake.start(specification, hooks, signal);
      this.started.push(running);
      return running;
    };
    const capabilities: SandboxProvider["capabilities"] = async (signal) => {
      if (this.isTogether) await this.#together();
      if (this.lack !== undefined) throw this.lack;
      return fake.capabilities(signal);
    };
    this.provider = { ...fake, start, capabilities };
  }

  async #together(): Promise<void> {
    this.#asking++;
    if (this.#asking < 2) await Promise.race([this.#told.promise, setTimeout(100)]);
    this.#told.resolve();
    this.#told = Promise.withResolvers();
    this.#asking = 0;
  }

  /** How many of those that it started run still. */
  async countRunning(): Promise<number> {
    const running = this.started.map(async ({ ended }) =>
      Promise.race([
        ended.then(() => 0),
        new Promise<number>((resolve) => setImmediate(resolve, 1)),
      ]),
    );
    return (await Promise.all(running)).reduce((sum, each) => sum + each, 0);
  }
}

let backend: CountingProvider;
let yard: SandboxYard;
beforeEach(async () => {
  backend = new CountingProvider();
  yard = await SandboxYard.open({ providers: [backend.provider] });
  yard.writeTemplate("team", TEMPLATE);
});
afterEach(async () => {
  await yard.close();
  yard.remove();
});

/** Makes and starts one, and tells what it was told meanwhile. */
async function run(change: SandboxCreate = {}): Promise<{ id: string; told: string[] }> {
  const request = { template: { name: "team" }, workspace: yard.workspace, ...change };
  const { id } = (await yard.sandboxes.create(OWNER, request)).sandbox;
  const told: string[] = [];
  await yard.sandboxes.start(
    id,
    {},
    {
      signal: NEVER,
      onEvent: (event) => void (event.type === "notice" && told.push(event.text)),
    },
  );
  return { id, told };
}

async function ask(id: string, ...argv: string[]): Promise<string> {
  const process = await (await yard.sandboxes.running(id)).exec({ argv }, NEVER);
  process.input.end();
  return (await process.output.toArray()).join("").trim();
}

const warm = (size: number) => yard.sandboxes.warm.set(OWNER, "team", { size });
const ready = async () => (await yard.sandboxes.warm.list(OWNER))[0]?.ready;

describe("a warm pool", () => {
  test("stands ready before anybody asks, and the next sandbox of its template is one of it", async () => {
    expect(await warm(2)).toMatchObject({ template: "team", size: 2, ready: 2 });
    expect(backend.started).toHaveLength(2);
    const prepared = backend.started.map(({ id }) => id);
    const { id, told } = await run({ name: "mine", environment: { MINE: "1" } });
    expect(prepared).toContain(id);
    expect(told).toEqual([]);
    expect(await ask(id, "hostname")).toBe("mine");
    expect(await ask(id, "pwd")).toBe(yard.workspace);
    expect((await ask(id, "env")).split("\n")).toEqual(
      expect.arrayContaining(["TEAM=blue", "MINE=1"]),
    );
    expect((await yard.sandboxes.get(id)).status).toBe("running");
  });

  test("fills itself again, and no sandbox of it serves twice", async () => {
    await warm(1);
    const ids = new Set<string>();
    for (const name of ["one", "two", "three"]) {
      await expect.poll(ready).toBe(1);
      ids.add((await run({ name })).id);
    }
    expect(ids.size).toBe(3);
    await expect.poll(() => backend.started.length).toBe(4);
  });

  test("keeps nothing of a user: what one wrote is in no sandbox of another", async () => {
    await warm(1);
    const first = await run({ name: "first", environment: { SECRET_PLAN: "x" } });
    const process = await (
      await yard.sandboxes.running(first.id)
    ).exec({ argv: ["tee", "/home/agent/secret"] }, NEVER);
    process.input.end("mine alone");
    await process.ended;
    await yard.sandboxes.remove(first.id);
    await expect.poll(ready).toBe(1);
    const second = await run({ name: "second" });
    expect(await ask(second.id, "ls", "/home/agent")).not.toContain("secret");
    expect(await ask(second.id, "env")).not.toContain("SECRET_PLAN");
  });

  test("is not used for what differs, and the reason is told; the sandbox then starts as ever", async () => {
    await warm(1);
    const other = await run({
      name: "red",
      template: { name: "team", parameters: { team: "red" } },
    });
    expect(other.told).toEqual([
      "No prepared sandbox was used: its parameters differ from those of the prepared ones.",
    ]);
    const like = await run({ name: "like", mirrors: { targets: "a.example:443=127.0.0.1:1" } });
    expect(like.told).toEqual([]);
    expect(await ask(other.id, "env")).toContain("TEAM=red");
  });

  test("of none left says so", async () => {
    await warm(1);
    backend.failure = new Error("the disk is full");
    await run({ name: "one" });
    await expect
      .poll(async () => (await yard.sandboxes.warm.list(OWNER))[0]?.problem)
      .toContain("disk");
    backend.failure = undefined;
    const { told } = await run({ name: "two" });
    expect(told[0]).toMatch(/^No prepared sandbox was used: .*disk is full/);
    await expect.poll(ready).toBe(1);
  });

  test("follows its template: those of an earlier text go", async () => {
    await warm(1);
    yard.writeTemplate("team", TEMPLATE.replace("blue", "green"));
    const { id, told } = await run();
    expect(told).toEqual([
      "No prepared sandbox was used: the template has changed since they were prepared.",
    ]);
    expect(await ask(id, "env")).toContain("TEAM=green");
    await expect.poll(() => backend.started.length).toBe(3);
    await expect.poll(ready).toBe(1);
    expect((await run({ name: "next" })).told).toEqual([]);
  });

  test("of size 0 is none, and what stood ready is gone", async () => {
    await warm(2);
    expect(yard.sandboxes.countRunning()).toBe(2);
    await warm(0);
    expect(yard.sandboxes.countRunning()).toBe(0);
    await Promise.all(backend.started.map(({ ended }) => ended));
    expect(await yard.sandboxes.warm.list(OWNER)).toEqual([]);
    expect((await run()).told).toEqual([]);
  });

  test("takes a reserved sandbox that is never started along when it is removed", async () => {
    await warm(1);
    const request = { template: { name: "team" }, workspace: yard.workspace };
    const { id } = (await yard.sandboxes.create(OWNER, request)).sandbox;
    const [reserved] = backend.started;
    expect(reserved?.id).toBe(id);
    await yard.sandboxes.remove(id);
    expect(await reserved?.ended).toEqual({ kind: "stopped" });
  });

  test("leaves nothing running of one that could not be claimed", async () => {
    await warm(1);
    const request = { template: { name: "team" }, workspace: yard.workspace };
    const { id } = (await yard.sandboxes.create(OWNER, request)).sandbox;
    backend.failure = new Error("no more of them");
    backend.lack = new Error("the machine has changed");
    const starting = yard.sandboxes.start(id, {}, { signal: NEVER });
    await expect(starting).rejects.toThrow("the machine has changed");
    expect(await backend.started[0]?.ended).toEqual({ kind: "stopped" });
  });

  test("keeps no socket of one that failed to start", async () => {
    const tcp = createServer();
    const closed = once(tcp, "close");
    tcp.listen(0, "127.0.0.1");
    await once(tcp, "listening");
    backend.sockets = { tcp, udp: [] };
    backend.failure = new Error("the disk is full");
    await warm(1);
    await closed;
    backend.sockets = undefined;
  });

  test("asked for twice at once is one pool, of the size said last", async () => {
    backend.isTogether = true;
    await Promise.all([warm(2), warm(1)]);
    expect(await ready()).toBe(1);
    expect(await backend.countRunning()).toBe(1);
  });

  test("shows in no list, and stands again after the daemon's end", async () => {
    await warm(1);
    expect(await yard.sandboxes.list(OWNER)).toEqual([]);
    await yard.close();
    backend = new CountingProvider();
    yard = await SandboxYard.open({ providers: [backend.provider] }, yard.root);
    await expect.poll(ready).toBe(1);
    expect(backend.started).toHaveLength(1);
  });

  test("is refused by a provider that prepares none, and by a template that is not there", async () => {
    await expect(yard.sandboxes.warm.set(OWNER, "teem", { size: 1 })).rejects.toMatchObject({
      code: "TEMPLATE_UNKNOWN",
    });
    const { provider } = backend;
    const declared = { ...provider.declared, warmPool: false };
    const cold = await SandboxYard.open({
      providers: [{ ...provider, declared, capabilities: async () => declared }],
    });
    cold.writeTemplate("team", TEMPLATE);
    await expect(cold.sandboxes.warm.set(OWNER, "team", { size: 1 })).rejects.toMatchObject({
      code: "PROVIDER_UNSUPPORTED",
    });
    await cold.close();
    cold.remove();
  });
});
