import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { root } from "../../test/support/requirement.ts";
import { openStateDirectory } from "./state-directory.ts";

let directory = "";
beforeEach(() => void (directory = join(mkdtempSync(join(tmpdir(), "cg-state-")), "state")));
afterEach(() => rmSync(join(directory, ".."), { recursive: true }));

const refused = expect.objectContaining({ code: "STATE_NOT_OURS" });
const attempt = (): unknown => {
  try {
    return openStateDirectory(directory);
  } catch (error) {
    return error;
  }
};

test("a state directory is the same installation each time, and nobody else's to enter", () => {
  const installation = openStateDirectory(directory);
  expect(openStateDirectory(directory)).toBe(installation);
  expect(statSync(directory).mode & 0o777).toBe(0o700);
});

test("an empty one that others could write is closed, and a used one is refused", () => {
  mkdirSync(directory);
  chmodSync(directory, 0o777);
  openStateDirectory(directory);
  expect(statSync(directory).mode & 0o777).toBe(0o700);
  chmodSync(directory, 0o770);
  expect(attempt()).toEqual(refused);
  chmodSync(directory, 0o700);
  expect(attempt()).toEqual(expect.any(String));
});

test.skipIf(!root().met)(root().title("one of another user is refused, marker or not"), () => {
  openStateDirectory(directory);
  chownSync(directory, 12_345, 12_345);
  expect(attempt()).toEqual(refused);
});

test("one in which somebody has put templates already is taken, and one with anything else beside them is not", () => {
  mkdirSync(join(directory, "templates/mine"), { recursive: true });
  expect(attempt()).toEqual(refused);
  writeFileSync(join(directory, "templates/mine/cattlegrid.template.yaml"), "version: 1\n");
  writeFileSync(join(directory, "notes"), "");
  expect(attempt()).toEqual(refused);
  rmSync(join(directory, "notes"));
  expect(attempt()).toEqual(expect.any(String));
});
