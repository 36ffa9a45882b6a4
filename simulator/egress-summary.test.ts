import { expect, test } from "vitest";
import { summariseEgress } from "./egress-summary.ts";

test("a summary has one line for each place, the refused ones last", () => {
  const model = { action: "allow", name: "runtime.us-east-1.kiro.dev", port: 443 };
  const lines = [
    { kind: "dns", action: "allow", name: "runtime.us-east-1.kiro.dev", reason: "a rule" },
    { ...model, kind: "connect", reason: "a rule" },
    { kind: "dns", action: "deny", name: "example.com", reason: "no rule allows it" },
    { ...model, kind: "close", reason: "both sides ended it", bytesIn: 2500, bytesOut: 1200 },
    { ...model, kind: "connect", reason: "a rule" },
    { kind: "dns", action: "deny", name: "example.com", reason: "no rule allows it" },
    { kind: "connect", action: "deny", address: "192.0.2.1", port: 80, reason: "never named" },
  ];
  expect(summariseEgress(lines)).toEqual([
    "  allowed  runtime.us-east-1.kiro.dev:443  2 connections, 1.2 kB out, 2.5 kB in",
    "  refused  example.com                     no rule allows it (2 times)",
    "  refused  192.0.2.1:80                    never named",
  ]);
});

test("a summary of nothing is empty", () => {
  expect(summariseEgress([])).toEqual([]);
});
