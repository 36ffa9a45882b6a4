import { describe, expect, test } from "vitest";
import { planClone } from "./repository.ts";

const url = "https://git.example/tools.git";

describe("a repository of a template", () => {
  test.each(["../out", "/etc/out", "a/../../out", ".", "work/../..", "a\nb", "a\0b"])(
    "goes to no path like %j",
    (path) => {
      expect(() => planClone({ url, path })).toThrow(/below the home directory/);
    },
  );

  test.each(["--upload-pack=touch x", "a b", "-x", "a\0b"])("has no revision like %j", (ref) => {
    expect(() => planClone({ url, path: "work", ref })).toThrow(/is no revision/);
  });

  test("is told apart by what may be asked of its forge, not by its text", () => {
    const { argv, environment } = planClone({ url, path: "./work//tools/", ref: "v1" });
    expect(argv.slice(-3)).toEqual([url, "work/tools", "v1"]);
    expect(environment).toMatchObject({ GIT_TERMINAL_PROMPT: "0" });
  });
});
