import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ApiClient } from "../../test/support/api-client.ts";
import { SessionYard } from "../../test/support/session-yard.ts";
import { SILENT_LOGGER } from "../platform/logger.ts";
import type { EngineEvent } from "../protocol/engine-event.ts";
import { createServer, type Server } from "./server.ts";

let yard: SessionYard;
let server: Server;
let api: ApiClient;

beforeEach(async () => {
  yard = await SessionYard.open();
  const { engine } = yard;
  const facts = {
    version: "1",
    stateDirectory: "/s",
    startedAt: "now",
    owner: "nobody",
  };
  const control = { shutDown: () => undefined, reset: async () => ({ unreached: [] }) };
  server = createServer({ engine, facts, control, logger: SILENT_LOGGER });
  mkdirSync(join(yard.root, "run"), { mode: 0o700 });
  const socket = join(yard.root, "run/api.sock");
  await server.listen(socket);
  api = new ApiClient(socket);
});
afterEach(async () => {
  await server.close();
  await yard.close();
});

interface Listening {
  seen: EngineEvent[];
  /** The `id:` lines of the stream. */
  ids: string[];
  until(isLast: (event: EngineEvent) => boolean): Promise<void>;
  close(): void;
}

async function listen(lastEventId?: string): Promise<Listening> {
  const headers = lastEventId === undefined ? {} : { headers: { "last-event-id": lastEventId } };
  const answer = await api.open("/v1/events", headers);
  const [seen, ids]: [EngineEvent[], string[]] = [[], []];
  let rest = "";
  answer.on("error", () => undefined);
  answer.on("data", (bytes: Buffer) => {
    const lines = (rest + bytes.toString()).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line.startsWith("id: ")) ids.push(line.slice(4));
      if (line.startsWith("data: ")) seen.push(JSON.parse(line.slice(6)) as EngineEvent);
    }
  });
  return {
    seen,
    ids,
    async until(isLast) {
      await expect.poll(() => seen.some(isLast), { timeout: 15_000 }).toBe(true);
    },
    close: () => void answer.destroy(),
  };
}

const isStatus =
  (status: string) =>
  (event: EngineEvent): boolean =>
    event.type === "sandbox" && event.status === status;

describe("the stream of engine events", () => {
  test("tells the life of a sandbox, its session and a turn, each with its id", async () => {
    const listening = await listen();
    const wanted = { agent: "tool", workspace: join(yard.root, "work"), name: "mine" };
    await api.call("/v1/sandboxes", { body: wanted });
    await api.call("/v1/sandboxes/mine/start", { method: "POST" });
    const request = { kind: "turns", secrets: { TOOL_KEY: "k" } };
    const session = await api.call("/v1/sandboxes/mine/sessions", { body: request });
    const path = `/v1/sessions/${String(session.body["id"])}`;
    await api.call(`${path}/turns`, { body: { prompt: "echo hi" } });
    await api.call(path, { method: "DELETE" });
    await api.call("/v1/sandboxes/mine", { method: "DELETE" });
    await listening.until(isStatus("removed"));
    listening.close();
    const told = listening.seen.map((event) =>
      "status" in event ? `${event.type} ${event.status}` : event.type,
    );
    expect(told.filter((each) => !each.startsWith("sandbox stop"))).toEqual([
      "sandbox created",
      "sandbox starting",
      "sandbox running",
      "session starting",
      "session running",
      "turn-start",
      "turn-end",
      "session ended",
      "sandbox removing",
      "sandbox removed",
    ]);
    expect(listening.ids).toEqual(listening.seen.map(({ id }) => id));
    expect(listening.seen.find(({ type }) => type === "turn-end")).toMatchObject({
      outcome: "succeeded",
      exitCode: 0,
    });
  });

  test("goes on behind the last event that a client saw", async () => {
    const listening = await listen();
    await api.call("/v1/sandboxes", { body: { agent: "tool", name: "one" } });
    await listening.until(isStatus("created"));
    listening.close();
    await api.call("/v1/sandboxes", { body: { agent: "tool", name: "two" } });
    await api.call("/v1/sandboxes", { body: { agent: "tool", name: "three" } });
    const again = await listen(listening.ids.at(-1));
    await again.until((event) => event.type === "sandbox" && event.name === "three");
    again.close();
    expect(again.seen.map((event) => ("name" in event ? event.name : ""))).toEqual([
      "two",
      "three",
    ]);
  });

  test("tells nobody of what is another owner's", async () => {
    const listening = await listen();
    await yard.engine.sandboxes.create("local:4242", { agent: "tool", name: "theirs" });
    await api.call("/v1/sandboxes", { body: { agent: "tool", name: "mine" } });
    await listening.until(isStatus("created"));
    listening.close();
    expect(listening.seen.map((event) => ("name" in event ? event.name : ""))).toEqual(["mine"]);
  });
});
