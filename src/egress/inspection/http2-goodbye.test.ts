import { once } from "node:events";
import { connect, type ClientHttp2Session, type ServerHttp2Stream } from "node:http2";
import type { TLSSocket } from "node:tls";
import { describe, expect, test } from "vitest";
import {
  INSPECTED,
  openInspectionYard,
  readUntil,
  type InspectingRig,
  type Upstream,
} from "../../../test/support/inspection-yard.ts";
import type { RigOptions } from "../../../test/support/gateway-rig.ts";

const yard = openInspectionYard();
const EVERYTHING = { allow: [`${INSPECTED}/**`] };
const BODY = "0123456789abcdef".repeat(32 * 1024);

async function openRig(upstream: Upstream, options: RigOptions = {}): Promise<InspectingRig> {
  return yard.inspectingRig(upstream, { ...EVERYTHING, ...options });
}

async function openSession(rig: InspectingRig): Promise<ClientHttp2Session> {
  const socket = await rig.open({ protocols: ["h2"] });
  const session = connect(`https://${INSPECTED}`, { createConnection: () => socket });
  session.on("error", () => undefined);
  yard.keep(async () => session.destroy());
  return session;
}

/** A server whose answers the test says, in the order of the requests. */
async function openServer(): Promise<{ upstream: Upstream; asked(): Promise<ServerHttp2Stream> }> {
  const upstream = await yard.server();
  const arrived: ServerHttp2Stream[] = [];
  upstream.server.on("stream", (stream: ServerHttp2Stream) => {
    stream.on("error", () => undefined);
    arrived.push(stream);
    upstream.server.emit("asked");
  });
  const asked = async (): Promise<ServerHttp2Stream> => {
    if (arrived.length === 0) await once(upstream.server, "asked");
    return arrived.shift() as ServerHttp2Stream;
  };
  return { upstream, asked };
}

async function expectReleased(rig: InspectingRig, reason = "both sides ended it"): Promise<void> {
  expect(await rig.recorded({ kind: "close" })).toMatchObject({ reason });
  await new Promise(setImmediate);
  expect(rig.gateway.connectionCount).toBe(0);
}

function frame(type: number, flags: number, { stream = 0, bytes = Buffer.alloc(0) } = {}): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(bytes.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, bytes]);
}

const PREFACE = Buffer.concat([Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), frame(4, 0)]);
const GOAWAY = frame(7, 0, { bytes: Buffer.alloc(8) });
/** GET https://…/ as indexed fields, and `:authority` as a literal one. */
const FIELDS = Buffer.concat([
  Buffer.from([0x82, 0x87, 0x84, 0x41, INSPECTED.length]),
  Buffer.from(INSPECTED),
]);
const GET = frame(1, 5, { stream: 1, bytes: FIELDS });

async function openRaw(rig: InspectingRig, bytes: Buffer): Promise<TLSSocket> {
  const socket = await rig.open({ protocols: ["h2"] });
  yard.keep(async () => socket.destroy());
  socket.write(bytes);
  return socket;
}

describe("a client of inspected HTTP/2 that says goodbye", () => {
  test("right after its request, by node:http2, gets its answer, and the connection ends", async () => {
    const upstream = await yard.server((request, response) => request.pipe(response));
    const rig = await openRig(upstream);
    const session = await openSession(rig);
    const stream = session.request({ ":method": "POST" });
    stream.end(BODY);
    session.close();
    let text = "";
    stream.on("data", (bytes: Buffer) => (text += bytes.toString()));
    await once(stream, "close");
    expect([stream.rstCode, text === BODY]).toEqual([0, true]);
    await expectReleased(rig);
  });

  test.each([
    ["in the packet of its request", [PREFACE, GET, GOAWAY]],
    ["before its request", [PREFACE, GOAWAY, GET]],
  ])("%s, gets its answer, and then the session ends", async (_when, frames) => {
    const upstream = await yard.server((_request, response) => response.end("hello"));
    const rig = await openRig(upstream);
    const socket = await openRaw(rig, Buffer.concat(frames));
    const ended = once(socket, "end");
    expect(await readUntil(socket, "hello")).toContain("hello");
    await ended;
    socket.end();
    await expectReleased(rig);
  });

  test("keeps bodies that stream both ways until they end", async () => {
    const { upstream, asked } = await openServer();
    const rig = await openRig(upstream);
    const session = await openSession(rig);
    const stream = session.request({ ":method": "POST" });
    const answering = await asked();
    session.close();
    answering.respond();
    answering.pipe(answering);
    for (const word of ["one", "two", "three"]) {
      stream.write(word);
      expect(String((await once(stream, "data"))[0])).toBe(word);
    }
    const closed = once(stream, "close");
    stream.end();
    await closed;
    expect(stream.rstCode).toBe(0);
    await expectReleased(rig);
  });

  test("with nothing open, ends the connection", async () => {
    const { upstream } = await openServer();
    const rig = await openRig(upstream);
    const socket = await openRaw(rig, Buffer.concat([PREFACE, GOAWAY]));
    socket.resume();
    await once(socket, "end");
    socket.end();
    await expectReleased(rig);
  });
});

describe("a client of inspected HTTP/2 that ends its connection without a goodbye", () => {
  test("gets the answers that it has asked for", async () => {
    const { upstream, asked } = await openServer();
    const rig = await openRig(upstream);
    const socket = await openRaw(rig, Buffer.concat([PREFACE, GET]));
    const heard = readUntil(socket, "hello");
    const answering = await asked();
    socket.end();
    answering.respond();
    answering.end("hello");
    expect(await heard).toContain("hello");
    await expectReleased(rig);
  });

  test("with nothing open, ends the connection with the server", async () => {
    const { upstream } = await openServer();
    const rig = await openRig(upstream);
    const socket = await openRaw(rig, PREFACE);
    socket.resume();
    socket.end();
    await expectReleased(rig);
  });

  test("in the middle of a request takes it back", async () => {
    const { upstream, asked } = await openServer();
    const rig = await openRig(upstream);
    const unfinished = frame(1, 4, { stream: 1, bytes: FIELDS });
    const socket = await openRaw(rig, Buffer.concat([PREFACE, unfinished]));
    socket.resume();
    const closed = once(await asked(), "close");
    socket.end();
    await closed;
    await expectReleased(rig);
  });

  test("is not waited for when its server stays silent past the deadline", async () => {
    const { upstream, asked } = await openServer();
    const rig = await openRig(upstream, { halfOpenIdleMs: 200 });
    const socket = await openRaw(rig, Buffer.concat([PREFACE, GET]));
    socket.resume();
    const answering = await asked();
    socket.end();
    await once(answering, "close");
    await expectReleased(rig, "one side had ended it, and the other was silent for too long");
  });
});

describe("a server of inspected HTTP/2 that says goodbye", () => {
  test("answers what is open to its end, and then the connection ends", async () => {
    const { upstream, asked } = await openServer();
    const rig = await openRig(upstream);
    const session = await openSession(rig);
    const stream = session.request({});
    const answering = await asked();
    answering.respond();
    answering.write("one");
    expect(String((await once(stream, "data"))[0])).toBe("one");
    const told = once(session, "goaway");
    answering.session?.close();
    await told;
    answering.write("two");
    expect(String((await once(stream, "data"))[0])).toBe("two");
    const closed = once(stream, "close");
    stream.resume();
    answering.end();
    await closed;
    expect(stream.rstCode).toBe(0);
    await expectReleased(rig);
  });

  test("by ending its connection resets what it has not answered", async () => {
    const { upstream, asked } = await openServer();
    const connected = once(upstream.server, "secureConnection") as Promise<[TLSSocket]>;
    const rig = await openRig(upstream);
    const session = await openSession(rig);
    const stream = session.request({});
    stream.on("error", () => undefined);
    const closed = new Promise((resolve) => stream.once("close", resolve));
    await asked();
    (await connected)[0].end();
    await closed;
    expect(stream.rstCode).not.toBe(0);
    await rig.recorded({ kind: "close" });
  });
});
