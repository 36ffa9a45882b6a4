import { expect, test } from "vitest";
import { CattlegridError } from "../../../errors/error.ts";
import { isHostRoot, subordinateRange } from "./machine.ts";
import { explainRefusal } from "./refusal.ts";

test("the subordinate range is root's own when /etc/subuid gives it one that is large enough", () => {
  expect(subordinateRange("")).toBe(1_900_000_000);
  expect(subordinateRange("alice:100000:65536\nroot:400000:65536\n")).toBe(400_000);
  expect(subordinateRange("root:400000:1000\ncattlegrid:700000:65536")).toBe(700_000);
  expect(subordinateRange("root:0:65536\n# comment\n:::\n")).toBe(1_900_000_000);
});

test("root of a user namespace that maps few ids is not the host's root", () => {
  expect(isHostRoot(0, "         0          0 4294967295\n")).toBe(true);
  expect(isHostRoot(0, "         0       1000          1\n")).toBe(false);
  expect(isHostRoot(1000, "         0          0 4294967295\n")).toBe(false);
});

test.each([
  [{ apparmorRestricts: true }, "kernel.apparmor_restrict_unprivileged_userns=0"],
  [{ cloneForbidden: true }, "kernel.unprivileged_userns_clone=1"],
  [{ noneAllowed: true }, "user.max_user_namespaces=15000"],
  [{}, "on the host instead"],
])("a machine with %j gets the remedy %s", (switches, remedy) => {
  const none = { apparmorRestricts: false, cloneForbidden: false, noneAllowed: false };
  const error = explainRefusal(
    new TypeError("ended"),
    "noise\nunshare: unshare failed: Operation not permitted\n",
    { ...none, ...switches },
  );
  expect(error.code).toBe("ISOLATION_UNAVAILABLE");
  expect(error.message).toContain("Operation not permitted");
  expect(error.hint).toContain(remedy);
});

test("a missing library keeps its own code", () => {
  const missing = new CattlegridError("DEPENDENCY_MISSING", "libnftables cannot be loaded");
  const none = { apparmorRestricts: false, cloneForbidden: false, noneAllowed: false };
  expect(explainRefusal(missing, "", none)).toBe(missing);
});
