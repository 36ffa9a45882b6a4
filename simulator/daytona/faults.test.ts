import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { RawDaytona } from "../../test/support/daytona-client.ts";
import { RecordedMachines } from "../../test/support/recorded-machines.ts";
import { startFakeDaytona, type FakeDaytona } from "./daytona.ts";
import { REQUEST_FAULTS } from "./faults.ts";

describe("faults of the fake Daytona", () => {
  let machines: RecordedMachines;
  let fake: FakeDaytona;
  let client: RawDaytona;
  beforeEach(async () => {
    machines = new RecordedMachines();
    fake = await startFakeDaytona({ machines });
    client = new RawDaytona(fake);
  });
  afterEach(() => fake[Symbol.asyncDispose]());

  const stateOf = (id: string): string => fake.sandboxes.find(id)?.state ?? "gone";

  test("one strikes as often as it was told to, what it matches, and can be waited for", async () => {
    const path = /^\/api\/sandbox$/;
    const armed = fake.faults.onRequest({ method: "POST", path }, REQUEST_FAULTS.serverError(503), {
      times: 2,
    });
    expect((await client.api("GET", "/sandbox")).status).toBe(200);
    const struck = armed.struck(2);
    const statuses = [];
    for (let count = 0; count < 3; count++) {
      statuses.push((await client.api("POST", "/sandbox", {})).status);
    }
    await struck;
    expect(statuses).toEqual([503, 503, 200]);
    expect(armed.hits).toBe(2);
    expect(fake.log.count({ method: "POST", path })).toBe(3);
  });

  test("too many requests name their throttler, and when to come again", async () => {
    fake.faults.onRequest({}, REQUEST_FAULTS.rateLimit("sandbox-create", 7));
    const { status, headers } = await client.api("POST", "/sandbox", {});
    expect(status).toBe(429);
    expect(headers.get("retry-after-sandbox-create")).toBe("7");
    expect(headers.get("x-ratelimit-remaining-sandbox-create")).toBe("0");
  });

  test("one that is disarmed, or cleared, is none", async () => {
    fake.faults.onRequest({}, REQUEST_FAULTS.html()).disarm();
    fake.faults.onRequest({}, REQUEST_FAULTS.html());
    fake.faults.clear();
    expect((await client.api("GET", "/sandbox")).json.items).toEqual([]);
  });

  test("a request that is never answered ends with the fake", async () => {
    const armed = fake.faults.onRequest({}, { kind: "silence" });
    const asked = client.api("GET", "/sandbox").catch((error: unknown) => error);
    await armed.struck();
    await fake[Symbol.asyncDispose]();
    expect(await asked).toBeInstanceOf(TypeError);
  });

  test("a sandbox that starts slowly can be deleted, and never starts", async () => {
    const ready = Promise.withResolvers<void>();
    fake.faults.onCreate({ kind: "slow", until: ready.promise });
    const id = await client.make();
    expect(stateOf(id)).toBe("creating");
    await client.api("DELETE", `/sandbox/${id}`);
    ready.resolve();
    await client.make();
    expect(stateOf(id)).toBe("gone");
    expect(machines.events.filter((event) => event === "start")).toHaveLength(1);
  });

  test("an answer that is lost is of a request that was carried out", async () => {
    fake.faults.onRequest({ method: "POST" }, { kind: "reset-after" });
    const failed = await client.api("POST", "/sandbox", {}).catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(TypeError);
    expect(fake.sandboxes.list()).toMatchObject([{ state: "started" }]);
  });

  test("a socket is refused by the same switches", async () => {
    const id = await client.make();
    fake.faults.onRequest({ path: /create-connect$/ }, REQUEST_FAULTS.html(502));
    const refused = await client.terminal(id, "t").closed;
    expect(refused).toMatchObject({
      status: 502,
      body: expect.stringContaining("Simulated gateway"),
    });
  });
});
