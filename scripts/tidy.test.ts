import { describe, expect, test } from "vitest";
import { findUntidy, listSecurityNotes } from "./tidy-rules.ts";

function find(path: string, text: string, others: readonly string[] = []): string[] {
  return findUntidy([{ path, text }], new Set([path, ...others])).map(({ rule }) => rule);
}

const unfinished = `TO${"DO"}`;

describe("tidy reports", () => {
  const broken: [rule: string, path: string, text: string][] = [
    ["core-names-no-vendor", "src/session/turn/turn.ts", "// as Docker does"],
    ["core-names-no-vendor", "src/cli/main.ts", 'const agent = "kiro-cli";'],
    ["environment-is-passed-in", "src/session/turn/turn.ts", "const home = process.env.HOME;"],
    ["errors-have-codes", "src/session/turn/turn.ts", 'throw new Error("no");'],
    ["errors-have-codes", "src/session/turn/turn.ts", 'throw new TypeError("no");'],
    ["catch-does-something", "src/session/turn/turn.ts", "try { go(); } catch { // fine\n }"],
    ["catch-does-something", "src/session/turn/turn.ts", "try { go(); } catch (error) {}"],
    ["catch-does-something", "src/session/turn/turn.ts", "await go().catch(() => undefined);"],
    ["no-module-state", "src/session/turn/turn.ts", "let count = 0;"],
    ["names-say-the-noun", "src/session/turn/turn.ts", "export class TurnManager {"],
    ["routes-are-declared", "src/server/extra-routes.ts", 'app.get("/v1/x", handle);'],
    ["nothing-left-to-do", "src/session/turn/turn.ts", `// ${unfinished} later`],
    ["nothing-left-to-do", "scripts/build.sh", `# ${unfinished} later`],
    ["file-names", "src/session/turnState.ts", ""],
    ["file-names", "src/session/types.ts", ""],
    ["links-resolve", "docs/a.md", "See [b](./b.md#part)."],
    ["plugins-have-a-page", "src/agent/agents/kiro/adapter.ts", ""],
  ];

  test.each(broken)("%s in %s: %s", (rule, path, text) => {
    expect(find(path, text)).toEqual([rule]);
  });
});

describe("tidy accepts", () => {
  const sound: [path: string, text: string, others?: string[]][] = [
    ["src/agent/agents/kiro/adapter.ts", 'const name = "kiro-cli";', ["docs/agents/kiro.md"]],
    ["src/session/turn.test.ts", 'const agent = "kiro"; let x; new Error("a");'],
    ["src/daemon/main.ts", 'import { kiro } from "../agent/agents/kiro/adapter.ts";'],
    ["src/platform/environment.ts", "const home = process.env.HOME;"],
    ["src/errors/error.ts", "new Error(message)"],
    [
      "src/session/turn/turn.ts",
      "// process.env is read by the caller\nfunction f() {\n  let x = 1;\n}",
    ],
    [
      "src/session/turn/turn.ts",
      "try { go(); } catch (error) { if (!isAbsent(error)) throw error; }",
    ],
    [
      "docs/a.md",
      "[b](b.md) [c](../README.md#top) [d](https://example.com) `[x](y)`",
      ["docs/b.md", "README.md"],
    ],
  ];

  test.each(sound)("%s: %s", (path, text, others = []) => {
    expect(find(path, text, others)).toEqual([]);
  });
});

test("the security notes are listed with their place", () => {
  const text = "const a = 1;\n  // SECURITY: the path is checked above\n";
  expect(listSecurityNotes([{ path: "src/a.ts", text }])).toEqual([
    "src/a.ts:2  the path is checked above",
  ]);
});
