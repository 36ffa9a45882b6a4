/** Requests in odd and broken forms: what passes us must be for Node's own parser just what it was for us. */
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { connect, type AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { HostName } from "../../src/egress/host-name.ts";
import { readRequestHead, type HttpPlace } from "../../src/egress/http/http-head.ts";
import {
  MessageReader,
  REQUEST_RULES,
  RESPONSE_RULES,
} from "../../src/egress/http/http-message.ts";
import { readResponseHead } from "../../src/egress/http/http-response.ts";
import { Mutator, readCorpus } from "../support/mutation.ts";

const PLACE: HttpPlace = { name: "a.example" as HostName, port: 80, scheme: "http" };
const TOKENS = [
  "\r",
  "\n",
  " ",
  "\t",
  ":",
  ";",
  ",",
  "\0",
  "#",
  "\r\n\r\n",
  "\n\n",
  "Host: b.example\r\n",
  "Content-Length: 3\r\n",
  "Content-Length : 3\r\n",
  "Transfer-Encoding: chunked\r\n",
  "Transfer-Encoding: \x0bchunked\r\n",
  "transfer-encoding: identity\r\n",
  "Connection: Host\r\n",
  "GET /smuggled HTTP/1.1\r\nHost: a.example\r\n\r\n",
  "0\r\n\r\n",
  "ffffffff\r\n",
  "HTTP/1.1",
];
const CASES = 3_000;
/** Each is a connection; the parser of a real server is not to be had otherwise. */
const COMPARED = 1_500;

interface Reading {
  passed: Buffer;
  requests: string[];
  isRefused: boolean;
}

function read(bytes: Buffer, cut: number): Reading {
  const reader = new MessageReader((text) => readRequestHead(text, PLACE), REQUEST_RULES);
  const reading: Reading = { passed: Buffer.alloc(0), requests: [], isRefused: false };
  for (const part of [bytes.subarray(0, cut), bytes.subarray(cut)]) {
    reader.feed(part);
    for (let piece = reader.next(); piece !== undefined; piece = reader.next()) {
      if (piece.kind === "problem") return { ...reading, isRefused: true };
      if (piece.kind === "end") continue;
      if (piece.kind === "head") {
        reading.requests.push(`${piece.head.request.method} ${piece.head.request.path}`);
      }
      reading.passed = Buffer.concat([reading.passed, piece.bytes]);
    }
  }
  return reading;
}

let server: Server;
const seen: string[] = [];

beforeAll(async () => {
  server = createServer({ requireHostHeader: true }, (request, response) => {
    const path = (request.url ?? "").replace(/^http:\/\/[^/?]*/i, "");
    seen.push(`${request.method} ${path.startsWith("?") || path === "" ? `/${path}` : path}`);
    request.resume();
    response.end();
  });
  server.on("upgrade", (request, socket) => {
    seen.push(`${request.method} ${request.url}`);
    socket.destroy();
  });
  server.on("clientError", (_error, socket) => socket.destroy());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});

afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

async function sendToServer(bytes: Buffer): Promise<string[]> {
  seen.length = 0;
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  socket.on("error", () => undefined).resume();
  socket.end(bytes);
  await new Promise((resolve) => socket.once("close", resolve));
  return [...seen];
}

test("a request is read alike however it is cut, and what passes is what was sent", () => {
  const mutator = new Mutator(readCorpus("http-request").values(), { seed: 1, tokens: TOKENS });
  for (let index = 0; index < CASES; index += 1) {
    const bytes = mutator.next();
    const whole = read(bytes, 0);
    const cut = read(bytes, mutator.below(bytes.length + 1));
    // Of a refused request more or less has passed by then.
    const told = ({ requests, isRefused, passed }: Reading): unknown => ({
      sent: bytes.toString("latin1"),
      requests,
      passed: isRefused ? "refused" : passed.toString("latin1"),
    });
    expect(told(cut)).toEqual(told(whole));
    expect(bytes.subarray(0, cut.passed.length).equals(cut.passed)).toBe(true);
    expect(bytes.subarray(0, whole.passed.length).equals(whole.passed)).toBe(true);
  }
});

test("a server finds no other requests in what passes than those that were judged", async () => {
  const corpus = readCorpus("http-request");
  const mutator = new Mutator(corpus.values(), { seed: 2, tokens: TOKENS });
  const inputs = [...corpus.values(), ...Array.from({ length: COMPARED }, () => mutator.next())];
  let compared = 0;
  for (const bytes of inputs) {
    const { passed, requests } = read(bytes, 0);
    if (requests.length === 0) continue;
    compared += 1;
    const found = await sendToServer(passed);
    // It may be stricter still and stop early; it may not find more, or others.
    const sent = passed.toString("latin1");
    expect({ sent, found }).toEqual({ sent, found: requests.slice(0, found.length) });
  }
  expect(compared).toBeGreaterThan(100);
});

test("an answer in any form is followed without a fault", () => {
  const corpus = [...readCorpus("http-request").values()].map((bytes) =>
    Buffer.from(bytes.toString("latin1").replace(/^.*HTTP\/1\.\d/, "HTTP/1.1 200 OK"), "latin1"),
  );
  const mutator = new Mutator(corpus, { seed: 3, tokens: [...TOKENS, "HTTP/1.1 101 X\r\n\r\n"] });
  for (let index = 0; index < CASES; index += 1) {
    const bytes = mutator.next();
    const reader = new MessageReader((text) => readResponseHead(text, "GET"), RESPONSE_RULES);
    reader.feed(bytes);
    let length = 0;
    for (let piece = reader.next(); piece !== undefined; piece = reader.next()) {
      if (piece.kind === "problem") break;
      if (piece.kind !== "end") length += piece.bytes.length;
    }
    expect(length).toBeLessThanOrEqual(bytes.length);
  }
});
