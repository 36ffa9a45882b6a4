import { describe, expect, test } from "vitest";
import { engineOf, generationOf, readVersion, versionNotice } from "./versions.ts";

const JSON_LINES = ["--output-format", "stream-json"];

test.each([
  ["1.20.0", undefined, "v1", [], "text"],
  ["2.17.9", undefined, "v1", [], "text"],
  ["2.18.0", undefined, "v1", ["--agent-engine", "v1"], "text"],
  ["2.19.1", "v2", "v2", ["--agent-engine", "v2"], "text"],
  ["2.19.2", "v2", "v2", ["--agent-engine", "v2", ...JSON_LINES], "stream-json"],
  ["2.21.2", undefined, "v1", ["--agent-engine", "v1"], "text"],
  ["2.21.2", "v3", "v3", ["--agent-engine", "v3", ...JSON_LINES], "stream-json"],
  ["2.37.10", undefined, "v1", ["--agent-engine", "v1"], "text"],
  ["3.0.0", undefined, "v2", ["--v2", ...JSON_LINES], "stream-json"],
  ["3.2.9", "v3", "v3", ["--v3", ...JSON_LINES], "stream-json"],
  ["4.0.0", undefined, "v2", ["--v2", ...JSON_LINES], "stream-json"],
  ["nonsense", undefined, "v2", ["--v2", ...JSON_LINES], "stream-json"],
])(
  "version %s, asked for %s, runs %s by %j and prints %s",
  (version, wanted, ...[engine, words, output]) => {
    const use = engineOf({ version, options: { engine: wanted } });
    expect(use).toMatchObject({ engine, arguments: words, output });
  },
);

test.each([
  ["1.20.0", "v2"],
  ["2.17.0", "v3"],
  ["3.0.0", "v1"],
  ["2.21.2", "v4"],
])("version %s has no engine %s, and says which it has", (version, engine) => {
  const refusal = {
    code: "AGENT_OPTION_UNAVAILABLE",
    hint: expect.stringContaining(generationOf(version).engine),
  };
  expect(() => engineOf({ version, options: { engine } })).toThrow(
    expect.objectContaining(refusal),
  );
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
