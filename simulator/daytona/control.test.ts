import { once } from "node:events";
import { get, type IncomingMessage } from "node:http";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { RawDaytona } from "../../test/support/daytona-client.ts";
import { RecordedMachines } from "../../test/support/recorded-machines.ts";
import { CONTROL_ROUTES } from "./control/routes.ts";
import { startFakeDaytona, type FakeDaytona } from "./daytona.ts";
import { TOOLBOX_ROUTES } from "./toolbox/routes.ts";

const MINUTE_MS = 60_000;

describe("the control API of the fake Daytona", () => {
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

  describe("keys", () => {
    test("every route of the API refuses a stranger, but for what it says of itself", async () => {
      const id = await client.make();
      const stranger = new RawDaytona({ url: fake.url, key: "wrong" });
      const open = new Set(["GET /health", "GET /config"]);
      for (const route of Object.keys(CONTROL_ROUTES)) {
        const [method = "", pattern = ""] = route.split(" ");
        const { status, json } = await stranger.api(method, fill(pattern, id));
        expect([route, status]).toEqual([route, open.has(route) ? 200 : 401]);
        if (open.has(route)) continue;
        expect(json).toMatchObject({ statusCode: 401, error: "Unauthorized" });
      }
      expect(stateOf(id)).toBe("started");
    });

    test("so does every route of a toolbox, sockets too, in the proxy's own form", async () => {
      const id = await client.make();
      const stranger = new RawDaytona({ url: fake.url, key: "wrong" });
      for (const route of Object.keys(TOOLBOX_ROUTES)) {
        const [method = "", pattern = ""] = route.split(" ");
        const { status, json } = await stranger.toolbox(id)(method, fill(pattern, id));
        expect([route, status]).toEqual([route, 401]);
        expect(json).toMatchObject({ code: "UNAUTHORIZED", source: "DAYTONA_PROXY" });
      }
      expect(await stranger.terminal(id, "t").closed).toMatchObject({ status: 401 });
    });

    test("the preview token opens the toolbox of its sandbox, and no other", async () => {
      const [one, other] = [await client.make(), await client.make()];
      const { json } = await client.api("GET", `/sandbox/${one}/ports/80/preview-url`);
      const token = { "x-daytona-preview-token": (json as { token: string }).token };
      const ask = (id: string) => fetch(`${client.toolboxUrl(id)}/work-dir`, { headers: token });
      expect([(await ask(one)).status, (await ask(other)).status]).toEqual([200, 401]);
    });
  });

  describe("creation", () => {
    test.each([
      [{ cpu: 2 }, "Cannot specify Sandbox resources when using a snapshot"],
      [{ snapshot: "absent" }, "Snapshot absent not found"],
      [{ autoStopInterval: -1 }, "non-negative"],
      [{ autoArchiveInterval: 50_000 }, "at most"],
      [{ networkAllowList: "10.0.0.0" }, "IPv4 CIDR"],
      [{ domainAllowList: "no domain" }, "Invalid domain"],
      [{ networkAllowList: Array(11).fill("10.0.0.0/8").join(",") }, "more than 10"],
      [{ buildInfo: { dockerfileContent: "FROM x" }, cpu: 5 }, "exceeds maximum allowed"],
    ])("%j is refused", async (request, message) => {
      const { status, json } = await client.api("POST", "/sandbox", request);
      expect([status, json.message]).toEqual([400, expect.stringContaining(message)]);
      expect(fake.sandboxes.list()).toEqual([]);
      expect(machines.events).toEqual([]);
    });

    test("a name is taken once", async () => {
      await client.make({ name: "mine" });
      expect((await client.api("POST", "/sandbox", { name: "mine" })).status).toBe(409);
    });

    test("what is stopped has no processor, but still its disk", async () => {
      fake.quota.total.cpu = 1;
      const id = await client.make();
      const over = await client.api("POST", "/sandbox", {});
      expect(over.json.message).toBe("Total CPU limit exceeded. Maximum allowed: 1");
      await client.api("POST", `/sandbox/${id}/stop`);
      await client.make();
      fake.quota.total = { cpu: 100, memory: 100, disk: 6 };
      const full = await client.api("POST", "/sandbox", {});
      expect(full.json.message).toBe("Total disk limit exceeded. Maximum allowed: 6");
      expect((await client.api("POST", `/sandbox/${id}/archive`)).status).toBe(200);
      await client.make();
    });

    test("a region that is not the organisation's is forbidden", async () => {
      const { status, json } = await client.api("POST", "/sandbox", { target: "mars" });
      expect([status, json.error]).toEqual([403, "Forbidden"]);
    });

    test("an account that may not limit networks is refused, or not heard", async () => {
      fake.account.networkLimits = "refused";
      const refused = await client.api("POST", "/sandbox", { networkBlockAll: true });
      expect(refused.status).toBe(400);
      fake.account.networkLimits = "ignored";
      const ignored = await client.api("POST", "/sandbox", { networkBlockAll: true });
      expect(ignored.json).toMatchObject({ state: "started", networkBlockAll: false });
    });
  });

  test("lists go page by page, and what is removed between them moves nothing", async () => {
    const ids: string[] = [];
    for (let count = 0; count < 5; count++) ids.push(await client.make({ labels: { n: "x" } }));
    await client.make({ labels: { n: "other" } });
    const query = new URLSearchParams({ limit: "2", labels: '{"n":"x"}' });
    const seen: string[] = [];
    for (;;) {
      const { json } = await client.api("GET", `/sandbox?${query.toString()}`);
      const { items, nextCursor } = json as { items: { id: string }[]; nextCursor: string | null };
      seen.push(...items.map((item) => item.id));
      expect(items.every((item) => !("env" in item))).toBe(true);
      if (seen.length === 2) await fake.sandboxes.destroy(fake.sandboxes.get(seen[0] ?? ""));
      if (nextCursor === null) break;
      query.set("cursor", nextCursor);
    }
    expect(new Set(seen)).toEqual(new Set(ids));
    expect(seen).toHaveLength(5);
    expect((await client.api("GET", "/sandbox?limit=0")).status).toBe(400);
    expect((await client.api("GET", "/sandbox?labels=no-json")).status).toBe(400);
    const stopped = await client.api("GET", "/sandbox?states=stopped");
    expect(stopped.json.items).toEqual([]);
  });

  describe("time", () => {
    test.each([
      { what: { autoStopInterval: 15 }, after: 14, state: "started" },
      { what: { autoStopInterval: 15 }, after: 15, state: "stopped" },
      { what: { autoStopInterval: 0 }, after: 100_000, state: "started" },
      { what: { autoStopInterval: 15, autoDeleteInterval: 0 }, after: 15, state: "gone" },
      { what: { autoStopInterval: 0, ttlMinutes: 60 }, after: 60, state: "gone" },
    ])("$what after $after minutes: $state", async ({ what, after, state }) => {
      const id = await client.make(what);
      await fake.clock.advance(after * MINUTE_MS);
      expect(stateOf(id)).toBe(state);
    });

    test("what is stopped is archived after a while, or deleted", async () => {
      const kept = await client.make({ autoArchiveInterval: 60 });
      const brief = await client.make({ autoDeleteInterval: 30 });
      for (const id of [kept, brief]) await client.api("POST", `/sandbox/${id}/stop`);
      await fake.clock.advance(30 * MINUTE_MS);
      expect([stateOf(kept), stateOf(brief)]).toEqual(["stopped", "gone"]);
      await fake.clock.advance(30 * MINUTE_MS);
      expect(stateOf(kept)).toBe("archived");
    });

    test("a call to the toolbox, or one that says so, counts as activity; others do not", async () => {
      const [used, told, asked] = [await client.make(), await client.make(), await client.make()];
      await fake.clock.advance(10 * MINUTE_MS);
      await client.toolbox(used)("GET", "/work-dir");
      await client.api("POST", `/sandbox/${told}/last-activity`, {});
      await client.api("GET", `/sandbox/${asked}`);
      await fake.clock.advance(10 * MINUTE_MS);
      expect([used, told, asked].map(stateOf)).toEqual(["started", "started", "stopped"]);
    });

    test("a clock that is wrong shows in what is answered, and nothing falls due by it", async () => {
      const id = await client.make();
      fake.clock.skew(-3 * 60 * MINUTE_MS);
      const { headers, json } = await client.api("POST", "/sandbox", {});
      const behind = (text: string | null): number => Date.now() - new Date(text ?? "").getTime();
      for (const time of [headers.get("date"), json.createdAt as string]) {
        expect(Math.round(behind(time) / (60 * MINUTE_MS))).toBe(3);
      }
      expect(stateOf(id)).toBe("started");
    });
  });

  test("settings are kept, and a running machine is told of its network", async () => {
    const id = await client.make();
    const path = `/sandbox/${id}/network-settings`;
    await client.api("POST", path, { domainAllowList: "example.com" });
    const { json } = await client.api("POST", path, { networkBlockAll: true });
    expect(json).toMatchObject({ networkBlockAll: true, domainAllowList: "example.com" });
    expect(machines.events.slice(1)).toEqual([
      "network false example.com",
      "network true example.com",
    ]);
  });

  test("changes of state are told to whoever listens, in order", async () => {
    const url = `${fake.url}/socket.io/?EIO=4&transport=websocket`;
    const listener = client.socket(url, []);
    const told: string[] = [];
    listener.socket.removeAllListeners("message");
    listener.socket.on("message", (data: Buffer) => told.push(data.toString()));
    await once(listener.socket, "open");
    const id = await client.make();
    await client.api("POST", `/sandbox/${id}/stop`);
    await client.api("DELETE", `/sandbox/${id}`);
    while (!told.some((text) => text.includes('"newState":"destroyed"'))) {
      await once(listener.socket, "message");
    }
    const states = told.flatMap((text) => /"newState":"(\w+)"/.exec(text)?.[1] ?? []);
    expect(states).toEqual(["started", "stopping", "stopped", "destroying", "destroyed"]);
  });

  test("a toolbox that is not running says so as the proxy does; one that is not there is 404", async () => {
    const id = await client.make();
    await client.api("POST", `/sandbox/${id}/stop`);
    const stopped = await client.toolbox(id)("POST", "/process/execute", { command: "true" });
    expect([stopped.status, stopped.json.code]).toEqual([400, "SANDBOX_NOT_RUNNING"]);
    expect(await client.terminal(id, "t").closed).toMatchObject({ status: 400 });
    expect((await client.toolbox("absent")("GET", "/work-dir")).status).toBe(404);
  });

  test("what it does not serve, it says it does not", async () => {
    const id = await client.make();
    const { status, json } = await client.toolbox(id)("POST", "/git/clone", {});
    expect([status, json.message]).toEqual([404, expect.stringContaining("fake Daytona")]);
    expect((await client.api("GET", "/nowhere")).status).toBe(404);
  });

  test("an unknown name below localhost is no sandbox", async () => {
    const { port } = new URL(fake.url);
    const asked = get({
      host: "127.0.0.1",
      port,
      headers: { host: `80-absent.localhost:${port}` },
    });
    const [answer] = (await once(asked, "response")) as [IncomingMessage];
    answer.resume();
    expect(answer.statusCode).toBe(404);
  });

  test("it leaves no machine behind", async () => {
    await client.make();
    await client.make();
    await fake[Symbol.asyncDispose]();
    expect(machines.events.toSorted()).toEqual([
      "remove",
      "remove",
      "start",
      "start",
      "stop",
      "stop",
    ]);
  });
});

function fill(pattern: string, id: string): string {
  return pattern.replace(":id", id).replace(/:\w+/g, "1");
}
