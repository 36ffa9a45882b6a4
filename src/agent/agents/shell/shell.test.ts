import { expect, test } from "vitest";
import { resolveCommand } from "../../../protocol/argument-rule.ts";
import { shell } from "./shell.ts";

test("without arguments a login shell runs", () => {
  expect(resolveCommand(shell, []).argv).toEqual(["bash", "-l"]);
});

test("-c is appended, its text one argument", () => {
  expect(resolveCommand(shell, ["-c", "id; touch ~/x"]).argv).toEqual([
    "bash",
    "-l",
    "-c",
    "id; touch ~/x",
  ]);
});

test("a shell needs no host, no installation and no sign-in", () => {
  expect(shell.hosts).toEqual([]);
  expect(shell.install).toBeUndefined();
  expect(shell.signIn).toBeUndefined();
});
