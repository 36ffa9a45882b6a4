import { expect, test } from "vitest";
import { readWish } from "./wish.ts";

test.each([
  [
    "https://a.example/x?y",
    { name: "a.example", port: 443, protocol: "tls", http: { path: "/x?y" } },
  ],
  ["https://a.example:8443", { port: 8443, protocol: "tls", http: { method: "GET", path: "/" } }],
  ["http://A.Example.", { name: "a.example", port: 80, protocol: "http" }],
  ["HTTPS://a.example?q", { port: 443, http: { path: "/?q" } }],
  ["a.example", { port: 443, protocol: "tls" }],
  ["a.example:80/x", { port: 80, protocol: "http", http: { path: "/x" } }],
  ["a.example:22", { port: 22, protocol: "opaque" }],
  ["a.example:9000", { port: 9000, protocol: "opaque" }],
  ["ssh://a.example", { port: 22, protocol: "opaque" }],
  ["odd://a.example:7", { port: 7, protocol: "opaque" }],
  ["10.0.0.1:5432", { kind: "literal", port: 5432 }],
  ["http://[2001:db8::1]/", { kind: "literal", port: 80 }],
])("%s is understood", (text, wish) => {
  expect(readWish(text)).toMatchObject({ ok: true, value: wish });
});

test.each([
  ["", "no address"],
  ["https://", "no address"],
  ["odd://a.example", "port of odd://"],
  ["a.example:0", "not a port"],
  ["a.example:1-2", "not a port"],
  ["user@a.example", "no address"],
  ["a.example\0", "cannot be part"],
  ["0x7f.1:80", "odd spelling"],
  ["2130706433", "odd spelling"],
  ["a.example#x", "no address"],
])("%j is refused: %s", (text, problem) => {
  expect(readWish(text)).toMatchObject({ ok: false, problem: expect.stringContaining(problem) });
});
