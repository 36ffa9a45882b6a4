/** ClientHellos in odd and broken forms: what we read as the server's name must be what OpenSSL reads. */
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server } from "node:net";
import { createSecureContext, TLSSocket } from "node:tls";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createCertificates } from "../../simulator/cloud/certificate.ts";
import { HELLO_BYTES_MAX, readClientHello } from "../../src/egress/client-hello.ts";
import { Mutator, readCorpus } from "../support/mutation.ts";

const TOKENS = ["\0", "\x00\x00", "\x16\x03\x01", "\xfe\x0d", "\x00\x10", "b.example", "\xff\xff"];
const CASES = 20_000;
const COMPARED = 1_500;

test("no hello makes it throw, and what it asks for is bounded", () => {
  const mutator = new Mutator(readCorpus("tls-hello").values(), { seed: 4, tokens: TOKENS });
  for (let index = 0; index < CASES; index += 1) {
    const bytes = mutator.next();
    const reading = readClientHello(bytes);
    if (reading.kind !== "partial") continue;
    expect(reading.bytesNeeded).toBeGreaterThan(bytes.length);
    expect(reading.bytesNeeded).toBeLessThanOrEqual(bytes.length + HELLO_BYTES_MAX);
  }
});

let server: Server;
const named: string[] = [];

beforeAll(async () => {
  const { privateKey: key, certificate: cert } = createCertificates(["a.example"]);
  const secureContext = createSecureContext({ key, cert });
  server = createServer((socket) => {
    socket.on("error", () => undefined);
    const tls = new TLSSocket(socket, {
      isServer: true,
      secureContext,
      SNICallback: (name, done) => {
        named.push(name);
        done(null, secureContext);
      },
    });
    tls.on("error", () => tls.destroy());
    // Whatever comes behind the hello is no handshake; what was read is known by then.
    socket.once("end", () => tls.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});

afterAll(() => new Promise((resolve) => server.close(resolve)));

async function nameFor(bytes: Buffer): Promise<string | undefined> {
  named.length = 0;
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  socket.on("error", () => undefined).resume();
  socket.end(bytes);
  await new Promise((resolve) => socket.once("close", resolve));
  return named[0];
}

test("OpenSSL finds no other name in a hello than the one that is compared", async () => {
  const corpus = readCorpus("tls-hello");
  const mutator = new Mutator(corpus.values(), { seed: 5, tokens: TOKENS });
  const mutated = Array.from({ length: COMPARED }, () => mutator.next());
  let compared = 0;
  for (const bytes of [...corpus.values(), ...mutated]) {
    const reading = readClientHello(bytes);
    if (reading.kind !== "hello" || reading.serverName === undefined) continue;
    const name = await nameFor(bytes);
    if (name === undefined) continue;
    compared += 1;
    const sent = bytes.toString("hex");
    expect({ sent, name }).toEqual({ sent, name: reading.serverName });
  }
  expect(compared).toBeGreaterThan(50);
});

test("OpenSSL finds no name in a hello that is without one, or refused", async () => {
  const mutator = new Mutator(readCorpus("tls-hello").values(), { seed: 6, tokens: TOKENS });
  for (let index = 0; index < COMPARED / 3; index += 1) {
    const bytes = mutator.next();
    const reading = readClientHello(bytes);
    if (reading.kind !== "hello" || reading.serverName !== undefined) continue;
    const sent = bytes.toString("hex");
    expect({ sent, name: await nameFor(bytes) }).toEqual({ sent, name: undefined });
  }
});
