import { createSocket, type Socket } from "node:dgram";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import type { AddressInfo } from "node:net";

const TYPE_A = 1;
const HEADER_BYTES = 12;
const ADDRESS_BYTES = 4;

/** Sends one query for an IPv4 address to a socket of this process; undefined when the answer holds none. */
export async function lookUpAt(
  server: Socket,
  name: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { address, port } = server.address() as AddressInfo;
  const client = createSocket("udp4");
  try {
    client.send(encodeQuery(name), port, address);
    const [message] = (await once(client, "message", { signal })) as [Buffer];
    return readAddress(message);
  } finally {
    client.close();
  }
}

function encodeQuery(name: string): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt16BE(randomInt(65_536), 0);
  // Recursion desired; one question.
  header.writeUInt16BE(0x0100, 2);
  header.writeUInt16BE(1, 4);
  const labels = name.split(".").map((label) => Buffer.from(`\0${label}`, "latin1"));
  for (const label of labels) label.writeUInt8(label.length - 1, 0);
  return Buffer.concat([header, ...labels, Buffer.from([0, 0, TYPE_A, 0, 1])]);
}

/** The gateway answers with one record at most, whose last bytes are the address. */
function readAddress(message: Buffer): string | undefined {
  const answers = message.readUInt16BE(6);
  const isRefused = (message.readUInt16BE(2) & 0xf) !== 0;
  if (isRefused || answers === 0) return undefined;
  return [...message.subarray(-ADDRESS_BYTES)].join(".");
}
