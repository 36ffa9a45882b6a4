import { expect, test } from "vitest";
import { branchName } from "./branch-name.ts";

test.each([
  ["kiro-project", "cattlegrid/kiro-project"],
  ["a.b", "cattlegrid/a.b"],
  ["a..b", "cattlegrid/a-.b"],
  ["a...b", "cattlegrid/a--.b"],
  ["a.", "cattlegrid/a-"],
  ["a.lock", "cattlegrid/a-lock"],
])("the branch of the sandbox %s is %s", (name, branch) => {
  expect(branchName(name)).toBe(branch);
});
