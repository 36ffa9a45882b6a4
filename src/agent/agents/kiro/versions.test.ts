import { describe, expect, test } from "vitest";
import { generationOf, readVersion, versionNotice } from "./versions.ts";

test.each([
  ["1.20.0", "v1", []],
  ["2.17.9", "v1", []],
  ["2.18.0", "v1", ["--agent-engine", "v1"]],
  ["2.21.2", "v1", ["--agent-engine", "v1"]],
  ["2.37.10", "v1", ["--agent-engine", "v1"]],
  ["3.0.0", "v2", ["--v2"]],
  ["3.2.9", "v2", ["--v2"]],
  ["4.0.0", "v2", ["--v2"]],
  ["nonsense", "v2", ["--v2"]],
])("version %s runs engine %s, named by %j", (version, engine, engineArguments) => {
  expect(generationOf(version)).toMatchObject({ engine, engineArguments });
});

describe("the notice", () => {
  test.each(["1.20.0", "2.21.2", "3.2.0", "3.2.7"])("is silent about %s", (version) => {
    expect(versionNotice(version)).toBeUndefined();
  });

  test.each(["3.3.0", "4.0.0", "what"])("says that %s is not known", (version) => {
    expect(versionNotice(version)).toContain(version);
  });
});

test.each([
  ["kiro-cli 2.21.2\n", "2.21.2"],
  ["kiro-cli-chat 3.0.1\n", "3.0.1"],
  ["kiro-cli 3.1.0-beta.2\n", "3.1.0"],
  ["bash: kiro-cli: No such file or directory\n", undefined],
  ["some kiro-cli 1.2.3", undefined],
  ["", undefined],
])("the version in %j is %s", (stdout, version) => {
  expect(readVersion(stdout)).toBe(version);
});
