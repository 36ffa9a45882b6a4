import fc from "fast-check";
import { expect, test } from "vitest";
import { SANDBOX_NAME } from "../../protocol/sandbox.ts";
import { defaultName, distinctName } from "./name.ts";

test.each([
  ["shell", "/home/a/project", "shell-project"],
  ["shell", "/home/a/My Project, v1:2/", "shell-My-Project-v1-2"],
  ["shell", "/home/a/.dotfiles", "shell-dotfiles"],
  ["shell", "/home/a/日本", "shell"],
  ["shell", null, "shell"],
  ["x", null, "sandbox-x"],
])("the default name of %s in %s is %s", (agent, workspace, expected) => {
  expect(defaultName(agent, workspace)).toBe(expected);
});

test("a default name, and each distinct one after it, is a valid name", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 100 }), fc.nat(30), (folder, taken) => {
      const base = defaultName("shell", `/w/${folder}`);
      const names = new Set([base, ...Array.from({ length: taken }, (_, n) => `${base}-${n + 2}`)]);
      const name = distinctName(base, (candidate) => names.has(candidate));
      expect(name).toMatch(SANDBOX_NAME);
      expect(names.has(name)).toBe(false);
    }),
  );
});
