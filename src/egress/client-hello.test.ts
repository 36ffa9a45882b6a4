import { once } from "node:events";
import { connect as connectTls, type ConnectionOptions } from "node:tls";
import { createServer, type AddressInfo } from "node:net";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { readClientHello } from "./client-hello.ts";

/** The first bytes that Node's own TLS client sends. */
async function captureHello(options: ConnectionOptions): Promise<Buffer> {
  const server = createServer((socket) => socket.on("error", () => undefined));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const client = connectTls({ ...options, port, host: "127.0.0.1" });
  client.on("error", () => undefined);
  const [socket] = await once(server, "connection");
  const [bytes] = await once(socket, "data");
  client.destroy();
  socket.destroy();
  server.close();
  return bytes as Buffer;
}

function vector(width: 1 | 2 | 3, ...parts: (Buffer | number[])[]): Buffer {
  const body = Buffer.concat(parts.map((part) => Buffer.from(part)));
  const length = Buffer.alloc(width);
  length.writeUIntBE(body.length, 0, width);
  return Buffer.concat([length, body]);
}

function extension(type: number, body: Buffer): Buffer {
  const number = Buffer.alloc(2);
  number.writeUInt16BE(type);
  return Buffer.concat([number, vector(2, body)]);
}

function serverName(...names: string[]): Buffer {
  const entries = names.map((name) =>
    Buffer.concat([Buffer.from([0]), vector(2, Buffer.from(name))]),
  );
  return extension(0, vector(2, ...entries));
}

function hello(...extensions: Buffer[]): Buffer {
  const body = Buffer.concat([
    Buffer.alloc(34, 3),
    vector(1),
    vector(2, [0x13, 0x01]),
    vector(1, [0]),
    vector(2, ...extensions),
  ]);
  return Buffer.concat([Buffer.from([1]), vector(3, body)]);
}

function records(message: Buffer, size = 16_000): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < message.length; at += size) {
    parts.push(Buffer.from([22, 3, 1]), vector(2, message.subarray(at, at + size)));
  }
  return Buffer.concat(parts);
}

describe("the ClientHello of a real client", () => {
  let named: Buffer;

  beforeAll(async () => {
    named = await captureHello({ servername: "Api.Example" });
  });

  test("gives its server name", () => {
    expect(readClientHello(named)).toEqual({
      kind: "hello",
      serverName: "Api.Example",
      isNameHidden: false,
    });
  });

  test("asks for more bytes at every cut, and never for more than there are", () => {
    for (let length = 0; length < named.length; length++) {
      const reading = readClientHello(named.subarray(0, length));
      expect(reading.kind).toBe("partial");
      const { bytesNeeded } = reading as { bytesNeeded: number };
      expect(bytesNeeded).toBeGreaterThan(length);
      expect(bytesNeeded).toBeLessThanOrEqual(named.length);
    }
  });

  test("has none when it was given none", async () => {
    const reading = readClientHello(await captureHello({ servername: "" }));
    expect(reading).toEqual({ kind: "hello", isNameHidden: false });
  });

  test("reads the same cut into records of a hundred bytes", () => {
    const message = named.subarray(5);
    expect(readClientHello(records(message, 100))).toEqual(readClientHello(named));
  });
});

describe("a ClientHello made by hand", () => {
  test.each([
    [
      "an encrypted hello",
      hello(serverName("a.example"), extension(0xfe0d, Buffer.alloc(8))),
      true,
    ],
    ["an encrypted name", hello(serverName("a.example"), extension(0xffce, Buffer.alloc(8))), true],
    ["neither", hello(serverName("a.example"), extension(23, Buffer.alloc(8))), false],
  ])("that offers %s", (_what, message, isNameHidden) => {
    const expected = { kind: "hello", serverName: "a.example", isNameHidden };
    expect(readClientHello(records(message))).toEqual(expected);
  });

  test.each([
    ["two server names", hello(serverName("a.example", "b.example"))],
    ["two server name extensions", hello(serverName("a.example"), serverName("b.example"))],
    ["an empty server name", hello(serverName(""))],
    ["an empty name list", hello(extension(0, vector(2)))],
    ["a name of another type", hello(extension(0, vector(2, [1], vector(2, [97]))))],
    [
      "bytes after the name",
      hello(extension(0, Buffer.concat([vector(2, [0], vector(2, [97])), Buffer.from([0])]))),
    ],
    ["an extension longer than the list", hello(Buffer.from([0, 0, 0, 9, 1]))],
    ["a hello without fields", Buffer.concat([Buffer.from([1]), vector(3)])],
    ["another handshake message", Buffer.concat([Buffer.from([2]), vector(3, Buffer.alloc(40))])],
    ["a hello of 16 MiB", Buffer.from([1, 0xff, 0xff, 0xff])],
  ])("with %s is malformed", (_what, message) => {
    expect(readClientHello(records(message)).kind).toBe("malformed");
  });

  test.each([
    ["an alert in between", Buffer.from([22, 3, 1, 0, 1, 1, 21, 3, 1, 0, 2])],
    ["an empty record", Buffer.from([22, 3, 1, 0, 0])],
    ["a record of 64 KiB", Buffer.from([22, 3, 1, 0xff, 0xff])],
    ["a thousand records", records(hello(serverName("a.example")), 1)],
  ])("cut by %s is malformed", (_what, bytes) => {
    expect(readClientHello(bytes).kind).toBe("malformed");
  });

  test.each(["SSH-2.0-x", "GET / HTTP/1.1", "\x80\x2e\x01\x03\x01", "\x16\x02\x00"])(
    "is not what %j is",
    (text) => {
      expect(readClientHello(Buffer.from(text, "latin1")).kind).toBe("not-tls");
    },
  );
});

test("no bytes make it throw, and what it asks for is bounded", () => {
  const valid = records(hello(serverName("a.example"), extension(16, Buffer.alloc(20))));
  const change = fc.tuple(fc.nat({ max: valid.length - 1 }), fc.nat({ max: 255 }));
  const mutated = fc.array(change, { maxLength: 4 }).map((changes) => {
    const bytes = Buffer.from(valid);
    for (const [at, value] of changes) bytes[at] = value;
    return bytes;
  });
  const garbage = fc.uint8Array({ maxLength: 200 }).map((bytes) => {
    return Buffer.concat([Buffer.from([22, 3, 1]), bytes]);
  });
  fc.assert(
    fc.property(fc.oneof(mutated, garbage), (bytes) => {
      const reading = readClientHello(bytes);
      expect(reading.kind === "partial" ? reading.bytesNeeded : 0).toBeLessThan(20_000);
    }),
    { numRuns: 2000 },
  );
});
