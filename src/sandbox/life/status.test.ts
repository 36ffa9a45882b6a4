import { expect, test } from "vitest";
import type { SandboxStatus } from "../../protocol/sandbox.ts";
import { nextStatus, type SandboxHappening } from "./status.ts";

const HAPPENINGS: readonly SandboxHappening[] = [
  "start",
  "started",
  "start-failed",
  "stop",
  "stop-failed",
  "ended",
  "remove",
  "daemon-restarted",
];

// One row per status; a dash is what cannot happen.
const TABLE: readonly [SandboxStatus, string][] = [
  ["created", "starting - - - - - removing -"],
  ["starting", "- running stopped - - - removing stopped"],
  ["running", "- - - stopping - stopped removing stopped"],
  ["stopping", "- - - - running stopped removing stopped"],
  ["stopped", "starting - - - - - removing -"],
  ["removing", "- - - - - - removing -"],
];

test.each(TABLE)("what follows %s", (status, expected) => {
  const found = HAPPENINGS.map((happening) => nextStatus(status, happening) ?? "-").join(" ");
  expect(found).toBe(expected);
});
