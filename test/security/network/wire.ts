/** Bytes as clients would send them, and as none should. */
import { decode, encode, type RecordType } from "dns-packet";
import { GREETING, type Attempt } from "./attempt.ts";

/** The head of an HTTP request; its path carries the token. */
export function request(
  host: string,
  path: string,
  options: { method?: string; fields?: readonly string[]; body?: string } = {},
): (token: string) => Buffer {
  const { method = "GET", fields = [], body = "" } = options;
  return (token) => {
    const target = path.includes("TOKEN") ? path.replace("TOKEN", token) : `${path}?${token}`;
    const head = [`${method} ${target} HTTP/1.1`, `Host: ${host}`, "Connection: close", ...fields];
    return Buffer.from([...head, "", body].join("\r\n"), "latin1");
  };
}

/** The same without a Host or anything else that is not said. */
export function lines(...text: readonly string[]): (token: string) => Buffer {
  return (token) =>
    Buffer.from([...text, "", ""].join("\r\n").replaceAll("TOKEN", token), "latin1");
}

/** Requests in one write; only the last one carries the token, and ends the connection. */
export function both(first: string, last: (token: string) => Buffer): (token: string) => Buffer {
  const head = `GET /public/first HTTP/1.1\r\nHost: ${first}\r\n\r\n`;
  return (token) => Buffer.concat([Buffer.from(head), last(token)]);
}

export const greetings = (received: string): number => received.split(GREETING).length - 1;

/** One DNS query in a datagram. */
export function lookup(
  name: string,
  options: { type?: string; server?: string } = {},
): Attempt & { by: "udp" } {
  const { type = "A", server = "127.0.0.1" } = options;
  const send = (): Buffer =>
    encode({ type: "query", id: 7, questions: [{ name, type: type as RecordType }] });
  return { by: "udp", host: server, port: 53, send, isReached: hasAnswer };
}

/** A query whose labels are given as bytes. */
export function lookupLabels(...labels: readonly string[]): Attempt {
  const head = Buffer.from([0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
  const parts = labels.map((label) =>
    Buffer.from(`${String.fromCharCode(label.length)}${label}`, "latin1"),
  );
  const send = (): Buffer => Buffer.concat([head, ...parts, Buffer.from([0, 0, 1, 0, 1])]);
  return { by: "udp", host: "127.0.0.1", port: 53, send, isReached: hasAnswer };
}

function hasAnswer(received: string): boolean {
  return received !== "" && (decode(Buffer.from(received, "latin1")).answers ?? []).length > 0;
}

function vector(width: 1 | 2 | 3, ...parts: readonly (Buffer | readonly number[])[]): Buffer {
  const body = Buffer.concat(parts.map((part) => Buffer.from(part)));
  const length = Buffer.alloc(width);
  length.writeUIntBE(body.length, 0, width);
  return Buffer.concat([length, body]);
}

function extension(type: number, body: Buffer): Buffer {
  return Buffer.concat([Buffer.from([type >> 8, type & 255]), vector(2, body)]);
}

/** A ClientHello by hand, whose random bytes carry the token. */
export function clientHello(options: { name?: string; extra?: number }): (token: string) => Buffer {
  return (token) => {
    const random = Buffer.alloc(32, token);
    const named = options.name === undefined ? [] : [serverName(options.name)];
    const extra = options.extra === undefined ? [] : [extension(options.extra, Buffer.alloc(8))];
    const versions = extension(43, vector(1, [3, 4]));
    const body = Buffer.concat([
      Buffer.from([3, 3]),
      random,
      vector(1),
      vector(2, [0x13, 0x01]),
      vector(1, [0]),
      vector(2, ...named, versions, ...extra),
    ]);
    const message = Buffer.concat([Buffer.from([1]), vector(3, body)]);
    return Buffer.concat([Buffer.from([22, 3, 1]), vector(2, message)]);
  };
}

function serverName(name: string): Buffer {
  return extension(0, vector(2, [0], vector(2, Buffer.from(name))));
}

function frame(type: number, payload: Buffer, { flags = 0, stream = 0 } = {}): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** One HTTP/2 request with nothing compressed. */
export function http2(
  authority: string,
  path: string,
  fields: Readonly<Record<string, string>> = {},
): (token: string) => Buffer {
  return (token) => {
    const pseudo = { ":method": "GET", ":scheme": "https", ":authority": authority };
    const all = { ...pseudo, ":path": `${path}?${token}`, ...fields };
    const block = Object.entries(all).map(([name, value]) =>
      Buffer.concat([
        Buffer.from([0]),
        vector(1, Buffer.from(name)),
        vector(1, Buffer.from(value)),
      ]),
    );
    return Buffer.concat([
      Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
      frame(4, Buffer.alloc(0)),
      frame(1, Buffer.concat(block), { flags: 5, stream: 1 }),
    ]);
  };
}
