import { describe, expect, test } from "vitest";
import { type BindingWish, chooseBindings } from "./binding-choice.ts";
import { describeBindings } from "./binding-flag.ts";

const AGENTS = [
  { id: "one", credentials: ["ONE_KEY"] },
  { id: "two", credentials: ["TWO_KEY", "SHARED_KEY"] },
  { id: "none", credentials: [] },
];

function choose(name: string, wish: Partial<BindingWish> = {}) {
  return chooseBindings({ name, agents: [], variable: undefined, ...wish }, AGENTS);
}

describe("a secret is bound", () => {
  test.each<[string, Partial<BindingWish>, object[]]>([
    ["SHARED_KEY", {}, [{ variable: "SHARED_KEY" }]],
    ["anything", {}, []],
    ["anything", { variable: "ONE_KEY" }, [{ variable: "ONE_KEY" }]],
    ["anything", { agents: ["one"] }, [{ agent: "one", variable: "ONE_KEY" }]],
    ["TWO_KEY", { agents: ["two"] }, [{ agent: "two", variable: "TWO_KEY" }]],
    [
      "anything",
      { agents: ["one", "none"], variable: "T" },
      [
        { agent: "one", variable: "T" },
        { agent: "none", variable: "T" },
      ],
    ],
  ])("%s with %j as %j", (name, wish, bindings) => {
    expect(choose(name, wish)).toEqual(bindings);
  });

  test.each<[string, Partial<BindingWish>, string]>([
    ["of several variables", { agents: ["two"] }, "such as TWO_KEY or SHARED_KEY"],
    ["without any", { agents: ["none"] }, "--as VARIABLE."],
    ["there is not", { agents: ["nine"] }, "There is no agent nine"],
    ["not named, for a variable of nobody's", { variable: "T" }, "--for AGENT"],
  ])("to an agent %s only when it is said how", (_title, wish, why) => {
    expect(() => choose("anything", wish)).toThrow(why);
  });
});

describe("--secret", () => {
  test("takes a variable and a name, or one for both", () => {
    expect(describeBindings(["A=b.c-d", "TOKEN"])).toEqual({
      bindings: { A: "b.c-d", TOKEN: "TOKEN" },
    });
    expect(describeBindings([])).toEqual({});
  });

  test.each(["A=hunter2 x", "a-b", "=x", "A=", "1A=x"])(
    "refuses %j and repeats nothing",
    (text) => {
      const refused = (): unknown => describeBindings([text]);
      expect(refused).toThrow("--secret takes");
      expect(refused).not.toThrow(/hunter2/);
    },
  );
});
