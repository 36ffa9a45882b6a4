import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import type { Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { LOCAL, opaque, openYard, readToEnd } from "../../test/support/gateway-rig.ts";

const yard = openYard();

describe("the relay", () => {
  test("carries every byte both ways, and keeps an end open that only one side ended", async () => {
    const request = randomBytes(8 * 1024 * 1024);
    const response = randomBytes(8 * 1024 * 1024);
    const peer = await yard.peer();
    const rig = await yard.rig({ allow: [opaque("a.example", peer.port)], addresses: LOCAL });
    const client = await rig.connect("a.example", peer.port);
    const upstream = await peer.accepted();
    const digest = (socket: Socket) => {
      const hash = createHash("sha256");
      socket.on("data", (bytes: Buffer) => hash.update(bytes));
      return once(socket, "end").then(() => hash.digest("hex"));
    };
    const [gotRequest, gotResponse] = [digest(upstream), digest(client)];
    client.end(request);
    const expected = createHash("sha256").update(request).digest("hex");
    expect(await gotRequest).toBe(expected);
    upstream.end(response);
    expect(await gotResponse).toBe(createHash("sha256").update(response).digest("hex"));
    const closed = await rig.recorded({ kind: "close" });
    expect(closed).toMatchObject({ bytesIn: response.length, bytesOut: request.length });
  });

  test("lets a client go on sending after the server has said all", async () => {
    const peer = await yard.peer((socket) => socket.end("bye"));
    const rig = await yard.rig({ allow: [opaque("a.example", peer.port)], addresses: LOCAL });
    const client = await rig.connect("a.example", peer.port);
    client.resume();
    await once(client, "end");
    const upstream = await peer.accepted();
    const heard = once(upstream, "data");
    client.end("late words");
    expect(String(await heard)).toBe("late words");
  });

  test("passes a reset on, in both directions", async () => {
    const peer = await yard.peer();
    const rig = await yard.rig({ allow: [opaque("a.example", peer.port)], addresses: LOCAL });
    const first = await rig.connect("a.example", peer.port);
    const firstEnd = readToEnd(first);
    (await peer.accepted()).resetAndDestroy();
    expect((await firstEnd).ending).toBe("reset");
    const second = await rig.connect("a.example", peer.port);
    const secondEnd = readToEnd(await peer.accepted());
    second.resetAndDestroy();
    expect((await secondEnd).ending).toBe("reset");
  });

  test("holds a sender back while nobody reads", async () => {
    const peer = await yard.peer();
    const rig = await yard.rig({ allow: [opaque("a.example", peer.port)], addresses: LOCAL });
    const client = await rig.connect("a.example", peer.port);
    client.pause();
    const upstream = await peer.accepted();
    const chunk = Buffer.alloc(1024 * 1024);
    let sent = 0;
    while (sent < 256 && upstream.write(chunk)) sent += 1;
    const drained = once(upstream, "drain").then(() => "drained");
    for (let round = 0; round < 50; round++) await new Promise(setImmediate);
    const rest = 64;
    for (let index = 0; index < rest; index++) upstream.write(chunk);
    expect(upstream.writableLength).toBeGreaterThan(32 * chunk.length);
    client.resume();
    expect(await drained).toBe("drained");
  });
});

describe("a relay of which one side has said all", () => {
  const SILENT = "one side had ended it, and the other was silent for too long";

  test.each(["client", "server"])("by its %s ends when the other stays silent", async (first) => {
    const peer = await yard.peer();
    const allow = [opaque("a.example", peer.port)];
    const rig = await yard.rig({ allow, addresses: LOCAL, halfOpenIdleMs: 100 });
    const client = await rig.connect("a.example", peer.port);
    const upstream = await peer.accepted();
    expect(rig.gateway.connectionCount).toBe(1);
    const [ended, left] = first === "client" ? [client, upstream] : [upstream, client];
    const leftEnd = new Promise((resolve) => left.once("close", resolve));
    for (const socket of [client, upstream]) socket.resume();
    ended.end();
    expect(await rig.recorded({ kind: "close" })).toMatchObject({ reason: SILENT });
    await new Promise(setImmediate);
    expect(rig.gateway.connectionCount).toBe(0);
    // What has read the end of its connection notices a reset only by writing.
    left.write("too late");
    await leftEnd;
    expect(left.errored).not.toBeNull();
  });

  test("stays far beyond the deadline while bytes flow, and ends by itself", async () => {
    const peer = await yard.peer();
    const allow = [opaque("a.example", peer.port)];
    const halfOpenIdleMs = 2_000;
    const rig = await yard.rig({ allow, addresses: LOCAL, halfOpenIdleMs });
    const client = await rig.connect("a.example", peer.port);
    const upstream = await peer.accepted();
    upstream.resume();
    client.end("all");
    await once(upstream, "end");
    let received = 0;
    client.on("data", (bytes: Buffer) => (received += bytes.length));
    const until = performance.now() + 2 * halfOpenIdleMs;
    let sent = 0;
    while (performance.now() < until) {
      upstream.write("x");
      sent += 1;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    upstream.end();
    await once(client, "end");
    expect(received).toBe(sent);
    const closed = await rig.recorded({ kind: "close" });
    expect(closed).toMatchObject({ reason: "both sides ended it", bytesIn: sent });
  });

  test("stays while both are silent and neither has ended", async () => {
    const peer = await yard.peer();
    const allow = [opaque("a.example", peer.port)];
    const rig = await yard.rig({ allow, addresses: LOCAL, halfOpenIdleMs: 20 });
    const client = await rig.connect("a.example", peer.port);
    const upstream = await peer.accepted();
    await new Promise((resolve) => setTimeout(resolve, 200));
    const heard = once(upstream, "data");
    client.write("still here");
    expect(String((await heard)[0])).toBe("still here");
  });
});

test("a client of plain HTTP that leaves while it waits is not waited for past the deadline", async () => {
  const peer = await yard.peer();
  const mirrors = `a.example:80=127.0.0.1:${peer.port}`;
  const rig = await yard.rig({ allow: ["a.example:80"], mirrors, halfOpenIdleMs: 100 });
  const client = await rig.connect("a.example", 80);
  client.write("GET / HTTP/1.1\r\nhost: a.example\r\n\r\n");
  const upstream = await peer.accepted();
  await once(upstream, "data");
  upstream.resume();
  client.end();
  const reason = "one side had ended it, and the other was silent for too long";
  expect(await rig.recorded({ kind: "close" })).toMatchObject({ reason });
  await new Promise(setImmediate);
  expect(rig.gateway.connectionCount).toBe(0);
});
