import { expect, test } from "vitest";
import type { EgressRecord } from "../../protocol/egress.ts";
import type { Sandbox } from "../../protocol/sandbox.ts";
import { renderProbes } from "../commands/doctor.ts";
import { EXEC } from "../commands/exec.ts";
import { renderSandbox } from "../commands/inspect.ts";
import { renderRecord } from "../policy/log.ts";
import { renderList } from "../commands/ls.ts";
import { renderVerb } from "../help.ts";
import { describeProgress, newestLine } from "../creation/start-progress.ts";
import { findNearest } from "../../platform/nearest-name.ts";

const sandbox: Sandbox = {
  id: "id-1",
  owner: "local:1",
  name: "box",
  agent: "shell",
  provider: "local",
  isolation: "namespaces",
  status: "running",
  workspace: { path: "/home/me/a b", mode: "direct" },
  ephemeral: false,
  environmentNames: ["TOKEN"],
  policy: { preset: "agent", allow: ["a.example"], deny: [] },
  mirrors: null,
  limits: { cpus: 2 },
  toolchains: [],
  protectedPaths: [".git/config"],
  layers: [],
  facts: { runtime: "crun 1.8", limits: { enforced: false } },
  ports: [],
  sessions: [
    { id: "s-1", kind: "interactive", status: "running" },
    { id: "s-0", kind: "interactive", status: "ended" },
  ],
  origins: { mode: "--mode" },
  lifetime: { idleStopMs: 1_800_000, idleStopsAt: "2026-01-01T00:12:00.000Z" },
  createdAt: "2026-01-01T00:00:00.000Z",
};

test("ls shows a line for each sandbox, with its open sessions", () => {
  const bare = { ...sandbox, name: "longer-name", status: "stopped" as const, workspace: null };
  expect(renderList([sandbox, { ...bare, sessions: [] }])).toBe(
    "NAME         AGENT  PROVIDER  STATUS   SESSIONS  PORTS  WORKSPACE\n" +
      "box          shell  local     running  1         -      /home/me/a b\n" +
      "longer-name  shell  local     stopped  0         -      -\n",
  );
});

test("inspect shows every field in words", () => {
  expect(renderSandbox(sandbox, Date.parse("2026-01-01T00:00:00.000Z"))).toBe(
    [
      "id: id-1",
      "owner: local:1",
      "name: box",
      "agent: shell",
      "provider: local",
      "isolation: namespaces",
      "status: running",
      "workspace:",
      "  path: /home/me/a b",
      "  mode: direct",
      "ephemeral: no",
      "environment names:",
      "  - TOKEN",
      "policy:",
      "  preset: agent",
      "  allow:",
      "    - a.example",
      "  deny: none",
      "mirrors: none",
      "limits:",
      "  cpus: 2",
      "toolchains: none",
      "protected paths:",
      "  - .git/config",
      "layers: none",
      "facts:",
      "  runtime: crun 1.8",
      "  limits:",
      "    enforced: no",
      "ports: none",
      "sessions:",
      "  - id s-1, kind interactive, status running",
      "  - id s-0, kind interactive, status ended",
      "origins:",
      "  mode: --mode",
      "lifetime:",
      "  idle stop: 30m, 12m left",
      "created at: 2026-01-01T00:00:00.000Z",
    ].join("\n"),
  );
});

const record: EgressRecord = {
  time: "2026-01-01T00:00:00.000Z",
  sandboxId: "id-1",
  kind: "connect",
  action: "deny",
  name: "a.example",
  port: 443,
  protocol: "tls",
  reasonCode: "no-rule",
  reason: "no rule allows it",
};

test.each<[string, Partial<EgressRecord>, string]>([
  ["a refusal", {}, "connect deny  a.example:443 tls - no rule allows it"],
  [
    "what a rule allowed",
    { action: "allow", reason: "allowed", rule: { id: "r", text: "a.example:443" } },
    "connect allow a.example:443 tls - allowed (rule a.example:443)",
  ],
  [
    "what a connection moved",
    { kind: "close", action: "allow", bytesIn: 20, bytesOut: 10, reason: "closed" },
    "close   allow a.example:443 tls 10 bytes out, 20 in - closed",
  ],
  [
    "one request",
    { kind: "request", method: "POST", path: "/a", reason: "no" },
    "request deny  a.example:443 tls POST /a - no",
  ],
  [
    "a control character",
    { name: "a\u001b.example" },
    "connect deny  a\\x1b.example:443 tls - no rule allows it",
  ],
])("logs show %s on one line", (_title, change, line) => {
  expect(renderRecord({ ...record, ...change })).toBe(`${record.time} ${line}`);
});

test("doctor shows the remedy under what is missing", () => {
  const probes = [
    { name: "crun", status: "ok", detail: "1.8" },
    {
      name: "nftables",
      status: "missing",
      detail: "not installed",
      remedy: "apt-get install nftables",
    },
  ] as const;
  expect(renderProbes(probes)).toBe(
    "ok       crun      1.8\nMISSING  nftables  not installed\n" +
      "                   remedy: apt-get install nftables\n",
  );
});

test("the help of a verb fits the screen and ends with an example", () => {
  const text = renderVerb(EXEC);
  expect(Math.max(...text.split("\n").map((line) => line.length))).toBeLessThanOrEqual(120);
  expect(text).toContain("\n  -e, --env NAME[=VALUE]  a variable for the command;");
  expect(text).toMatch(/\n\nExample: cattlegrid exec my-sandbox -- npm test\n$/);
});

test.each([
  ["Downloading\r 10%\r 20%", "20%"],
  ["one\ntwo\n\n", "two"],
  ["\u001b[1mbold\u001b[0m text", "bold text"],
  ["", ""],
])("of an installer's output %j the newest line is %j", (text, line) => {
  expect(newestLine(text)).toBe(line);
});

test.each([
  ["exce", "exec"],
  ["inspct", "inspect"],
  ["lss", "ls"],
  ["banana", undefined],
])("%s was meant to be %s", (word, verb) => {
  expect(findNearest(word, ["exec", "inspect", "ls", "run"])).toBe(verb);
});

test.each([
  ["Downloading package...", 0, "Downloading package..."],
  ["Downloading package...", 123_400_000, "Downloading package... (123 MB received)"],
  ["", 2_000_000, "2 MB received"],
])("an installation's progress: %s after %i bytes", (line, receivedBytes, shown) => {
  expect(describeProgress(line, receivedBytes)).toBe(shown);
});
