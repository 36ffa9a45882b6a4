import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readRequestHead, type HttpPlace, type HttpProblem } from "./http-head.ts";
import { MessageReader, REQUEST_RULES } from "./http-message.ts";
import { readHostName, type HostName } from "../host-name.ts";

const reading = readHostName("a.example");
const PLACE: HttpPlace = {
  name: (reading.ok ? reading.value : "") as HostName,
  port: 80,
  scheme: "http",
};

/** What passes, and the problem if there is one, when `text` comes in pieces of `size`. */
function screen(text: string, size = text.length): { passed: string; problem?: HttpProblem } {
  const reader = new MessageReader((head) => readRequestHead(head, PLACE), REQUEST_RULES);
  const bytes = Buffer.from(text, "latin1");
  let passed = "";
  for (let at = 0; at < bytes.length; at += size) {
    reader.feed(bytes.subarray(at, at + size));
    for (let piece = reader.next(); piece !== undefined; piece = reader.next()) {
      if (piece.kind === "problem") return { passed, problem: piece.problem };
      if (piece.kind !== "end") passed += piece.bytes.toString("latin1");
    }
  }
  return { passed };
}

const GET = "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n";

function head(...lines: string[]): string {
  return ["GET / HTTP/1.1", ...lines, "", ""].join("\r\n");
}

function post(...lines: string[]): string {
  return ["POST / HTTP/1.1", "Host: a.example", ...lines, "", ""].join("\r\n");
}

const PERMITTED: readonly (readonly [string, string])[] = [
  ["a request", GET],
  ["two requests", GET + GET],
  ["a WebSocket", head("Host: a.example", "Upgrade: WebSocket", "Sec-WebSocket-Key: x")],
  ["a host in capitals with its port", "GET / HTTP/1.1\r\nhOST: A.Example:80\r\n\r\n"],
  ["a host with a trailing dot", "GET / HTTP/1.1\r\nHost: a.example.\r\n\r\n"],
  ["an absolute target", "GET http://a.example/x?y HTTP/1.1\r\nHost: a.example\r\n\r\n"],
  ["OPTIONS *", "OPTIONS * HTTP/1.1\r\nHost: a.example\r\n\r\n"],
  ["HTTP/1.0", "GET / HTTP/1.0\r\nHost: a.example\r\n\r\n"],
  ["a body", `POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\n\r\nhello${GET}`],
  [
    "a chunked body",
    "POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n" +
      `5\r\nhello\r\nA\r\n0123456789\r\n0\r\nX-Sum: 1\r\n\r\n${GET}`,
  ],
  [
    "a body that looks like a request for another host",
    "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 37\r\n\r\n" +
      "GET / HTTP/1.1\r\nHost: b.example\r\n\r\nxx" +
      GET,
  ],
];

describe("requests pass unchanged", () => {
  test.each(PERMITTED)("%s", (_what, text) => {
    expect(screen(text)).toEqual({ passed: text });
  });

  test("the same in pieces of any size", () => {
    const text = PERMITTED.map(([, each]) => each).join("");
    for (let size = 1; size < text.length; size++) {
      expect(screen(text, size)).toEqual({ passed: text });
    }
  });
});

const FORBIDDEN: readonly (readonly [string, string, HttpProblem["code"]])[] = [
  ["another host", head("Host: b.example"), "host-differs"],
  ["another port", head("Host: a.example:8080"), "host-differs"],
  ["no host", head("Accept: */*"), "request-malformed"],
  ["two hosts", head("Host: a.example", "Host: a.example"), "request-malformed"],
  ["two hosts in one", head("Host: a.example, b.example"), "request-malformed"],
  ["user info", head("Host: b@a.example"), "request-malformed"],
  ["a percent code", head("Host: a%2eexample"), "request-malformed"],
  ["a NUL in the host", head("Host: a.example\0.b.example"), "request-malformed"],
  ["a space before the colon", head("Host : a.example"), "request-malformed"],
  ["a folded line", head("Host: a.example", " b.example"), "request-malformed"],
  ["a bare line feed", head("Host: a.example\nHost: b.example"), "request-malformed"],
  ["a bare carriage return", head("Host: a.example\rHost: b.example"), "request-malformed"],
  [
    "another absolute target",
    "GET http://b.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n",
    "host-differs",
  ],
  [
    "an absolute target that differs from the host",
    "GET http://a.example/ HTTP/1.1\r\nHost: b.example\r\n\r\n",
    "host-differs",
  ],
  [
    "user info in the target",
    "GET http://a.example@b.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n",
    "request-malformed",
  ],
  [
    "an https target",
    "GET https://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n",
    "request-malformed",
  ],
  ["CONNECT", "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example\r\n\r\n", "request-refused"],
  ["an upgrade without a key", head("Host: a.example", "Upgrade: websocket"), "request-refused"],
  [
    "an upgrade with a body",
    post("Upgrade: websocket", "Sec-WebSocket-Key: x", "Content-Length: 1"),
    "request-refused",
  ],
  [
    "a Connection header that takes the host away",
    head("Host: a.example", "Connection: close, Host"),
    "request-malformed",
  ],
  ["an upgrade to h2c", head("Host: a.example", "Upgrade: h2c"), "request-refused"],
  ["an expectation that no server knows", post("Expect: 200-ok"), "request-malformed"],
  ["HTTP/2 at once", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "request-malformed"],
  ["HTTP/0.9", "GET /\r\n\r\n", "request-malformed"],
  ["two spaces", "GET  / HTTP/1.1\r\nHost: a.example\r\n\r\n", "request-malformed"],
  ["two lengths", post("Content-Length: 1", "Content-Length: 2"), "request-malformed"],
  ["a signed length", post("Content-Length: +1"), "request-malformed"],
  ["a list of lengths", post("Content-Length: 1, 1"), "request-malformed"],
  [
    "a length and chunks",
    post("Content-Length: 1", "Transfer-Encoding: chunked"),
    "request-malformed",
  ],
  ["an odd encoding", post("Transfer-Encoding: xchunked"), "request-malformed"],
  ["two encodings", post("Transfer-Encoding: gzip, chunked"), "request-malformed"],
  ["a chunk extension", `${post("Transfer-Encoding: chunked")}1;a=b\r\nx\r\n`, "request-malformed"],
  [
    "a chunk that is longer than it says",
    `${post("Transfer-Encoding: chunked")}1\r\nxy\r\n`,
    "request-malformed",
  ],
  [
    "chunks in HTTP/1.0",
    post("Transfer-Encoding: chunked").replace("1.1", "1.0"),
    "request-malformed",
  ],
  ["a head of 64 KiB", head("Host: a.example", `X: ${"x".repeat(65_536)}`), "request-malformed"],
  ["an endless head", `GET / HTTP/1.1\r\nX: ${"x".repeat(65_536)}`, "request-malformed"],
];

describe("it is refused:", () => {
  test.each(FORBIDDEN)("%s", (_what, text, code) => {
    const first = screen(text);
    expect(first.problem?.code).toBe(code);
    expect(first.passed).not.toContain("b.example");
  });

  test.each(FORBIDDEN)("%s, as a second request and in small pieces", (_what, text, code) => {
    const second = screen(GET + text, 7);
    expect(second.problem?.code).toBe(code);
    expect(second.passed.startsWith(GET)).toBe(true);
  });
});

test("whatever comes, only what was sent passes, in its order", () => {
  const piece = fc.oneof(
    fc.constantFrom(...PERMITTED.map(([, text]) => text), ...FORBIDDEN.map(([, text]) => text)),
    fc.string({ maxLength: 40 }),
  );
  const input = fc.array(piece, { maxLength: 4 }).map((pieces) => pieces.join(""));
  fc.assert(
    fc.property(input, fc.integer({ min: 1, max: 50 }), (text, size) => {
      const sent = Buffer.from(text, "latin1").toString("latin1");
      expect(sent.startsWith(screen(text, size).passed)).toBe(true);
    }),
  );
});
