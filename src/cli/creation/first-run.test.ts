import { expect, test } from "vitest";
import type { Sandbox } from "../../protocol/sandbox.ts";
import { describeSandbox } from "./first-run.ts";

const sandbox = {
  name: "shell-hello",
  workspace: { path: "/home/ada/hello", mode: "direct" },
  policy: { preset: "agent", allow: [], deny: [] },
} as Partial<Sandbox> as Sandbox;

test("the first run says in three lines what is shared, what is blocked, and how to allow", () => {
  expect(describeSandbox(sandbox)).toEqual([
    "shared:   /home/ada/hello (direct: changes are made in it at once) and this machine's tools; not your home, keys or environment.",
    "blocked:  every connection but what the policy `agent` allows.",
    "to allow: cattlegrid policy allow shell-hello HOST; what was refused: cattlegrid logs shell-hello --egress",
  ]);
});

test("tools are this machine's only where the sandbox has them", () => {
  const [shared] = describeSandbox({ ...sandbox, userland: "own" });
  expect(shared).toBe(
    "shared:   /home/ada/hello (direct: changes are made in it at once); not your home, keys or environment.",
  );
});

test("it names a policy file, hosts that were allowed, and how a workspace is seen", () => {
  const [shared, blocked] = describeSandbox({
    ...sandbox,
    workspace: { path: "/w", mode: "overlay" },
    policy: { preset: "agent", file: "/p.yaml", allow: ["a.example"], deny: [] },
  });
  expect(shared).toContain("/w (overlay: changes wait for `cattlegrid apply`)");
  expect(blocked).toContain("`/p.yaml` and a.example allows");
  expect(describeSandbox({ ...sandbox, workspace: null })[0]).toContain("no folder of yours");
});
