import { once } from "node:events";
import type { Socket } from "node:net";
import { expect, test } from "vitest";
import { WINDOW_BYTES, writeFrame, type FrameKind } from "./frames.ts";
import { RelayLink } from "./link.ts";

const NOTHING = Buffer.alloc(0);

function openLink(): { link: RelayLink; said: Buffer[]; landed: Socket[] } {
  const said: Buffer[] = [];
  const landed: Socket[] = [];
  const link = new RelayLink((bytes) => void said.push(bytes));
  link.sockets.tcp.on("connection", (socket: Socket) => landed.push(socket));
  return { link, said, landed };
}

const open = (channel: number): Buffer => writeFrame("open", channel, NOTHING);

test.each<[string, readonly Buffer[]]>([
  ["no frame", [Buffer.from("what is this?")]],
  ["a frame without an end", [Buffer.from([0xff, 0, 0, 0, 68, 0, 0, 0, 1])]],
  ["what only an engine says", [writeFrame("connect", 1, NOTHING)]],
  ["a second greeting", [writeFrame("hello", 0, NOTHING), writeFrame("hello", 0, NOTHING)]],
  ["a channel of the engine's", [open(2 ** 31 + 1)]],
  ["one channel twice", [open(1), open(1)]],
  ["more channels than there are", Array.from({ length: 1025 }, (_, index) => open(index + 1))],
  ["more than it may", Array(6).fill(writeFrame("data", 1, Buffer.alloc(WINDOW_BYTES / 4)))],
  ["data after their end", [writeFrame("end", 1, NOTHING), writeFrame("data", 1, Buffer.of(1))]],
  ["a window of no size", [writeFrame("window", 1, Buffer.of(1))]],
  ["a datagram socket that is not there", [writeFrame("datagram", 2, NOTHING)]],
])("a relay that sends %s is believed no more, and its connections are reset", async (_, sent) => {
  const { link, landed } = openLink();
  const [first = open(1)] = sent;
  if (!first.equals(open(1))) link.take(open(1));
  for (const bytes of sent) link.take(bytes);
  expect(await link.lost).toBe("it sent what is no answer");
  expect(landed.length).toBeGreaterThan(0);
  for (const socket of landed) expect(socket.destroyed).toBe(true);
  link.take(open(9));
  expect(landed.some((socket) => !socket.destroyed)).toBe(false);
});

test("whatever came of a connection that is over here is nobody's, and harms no other", async () => {
  const { link, said, landed } = openLink();
  link.take(open(1));
  link.take(open(2));
  const [first, second] = landed;
  first?.destroy();
  await once(first as Socket, "close");
  for (const kind of ["data", "window", "end", "reset"] satisfies FrameKind[]) {
    link.take(writeFrame(kind, 1, Buffer.alloc(kind === "data" ? 10 : 4)));
  }
  link.take(writeFrame("data", 2, Buffer.from("kept")));
  expect(String((await once(second as Socket, "data"))[0])).toBe("kept");
  expect(said).toEqual([writeFrame("reset", 1, NOTHING)]);
});

test("frames come whole however the stream is cut", async () => {
  const { link, landed } = openLink();
  const all = Buffer.concat([open(1), writeFrame("data", 1, Buffer.from("in one piece"))]);
  for (const byte of all) link.take(Buffer.of(byte));
  link.take(writeFrame("end", 1, NOTHING));
  let text = "";
  for await (const part of landed[0] as Socket) text += String(part);
  expect(text).toBe("in one piece");
});

test("without anybody who takes connections they are refused", () => {
  const said: Buffer[] = [];
  const link = new RelayLink((bytes) => void said.push(bytes));
  link.take(open(1));
  expect(said).toEqual([writeFrame("reset", 1, NOTHING)]);
});

test("a connection inward to a port at which nothing listens is closed, as it is when the relay goes", async () => {
  const { link } = openLink();
  const refused = link.connect(80);
  link.take(writeFrame("reset", 2 ** 31 + 1, NOTHING));
  await expect(refused).rejects.toMatchObject({ code: "PORT_CLOSED" });
  const lost = link.connect(80);
  link.lose("it went");
  await expect(lost).rejects.toMatchObject({ code: "PORT_CLOSED" });
});
