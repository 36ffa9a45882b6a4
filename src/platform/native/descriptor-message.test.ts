import { closeSync, fstatSync, readSync, writeSync } from "node:fs";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openMessagePair, openPipe } from "./descriptor.ts";
import {
  receiveDescriptors,
  sendDescriptors,
  type DescriptorMessage,
} from "./descriptor-message.ts";

let ours: number;
let theirs: number;

beforeEach(() => {
  [ours, theirs] = openMessagePair();
});

afterEach(() => {
  closeSync(theirs);
});

function receive(): DescriptorMessage {
  const message = receiveDescriptors(theirs);
  if (message === "empty") throw new Error("nothing came");
  return message;
}

test("several descriptors travel in one message and stay what they were", () => {
  const { readFd, writeFd } = openPipe();
  expect(receiveDescriptors(theirs)).toBe("empty");
  expect(sendDescriptors(ours, { bytes: Buffer.from("17"), fds: [readFd, writeFd] })).toBe(true);
  for (const fd of [readFd, writeFd, ours]) closeSync(fd);
  const { bytes, fds } = receive();
  expect(bytes.toString()).toBe("17");
  const [from = -1, to = -1] = fds;
  writeSync(to, "through");
  const read = Buffer.alloc(16);
  expect(read.toString("utf8", 0, readSync(from, read))).toBe("through");
  for (const fd of fds) closeSync(fd);
  expect(receive()).toMatchObject({ bytes: Buffer.alloc(0), fds: [] });
});

test("messages are kept apart, and a receiver that does not read stops them without a wait", () => {
  const { readFd, writeFd } = openPipe();
  let sent = 0;
  while (sendDescriptors(ours, { bytes: Buffer.from(String(sent)), fds: [writeFd] })) sent += 1;
  expect(sent).toBeGreaterThan(10);
  for (let count = 0; count < sent; count += 1) {
    const { bytes, fds } = receive();
    expect(bytes.toString()).toBe(String(count));
    expect(fds).toHaveLength(1);
    expect(fstatSync(fds[0] ?? -1).isFIFO()).toBe(true);
    closeSync(fds[0] ?? -1);
  }
  expect(sendDescriptors(ours, { bytes: Buffer.from("x"), fds: [writeFd] })).toBe(true);
  for (const fd of [readFd, writeFd, ours]) closeSync(fd);
});
