import { describe, expect, test } from "vitest";
import { resolveBindings } from "./bindings.ts";

const owner = "local:7";
const one = { id: "one", credentials: ["ONE_KEY", "SHARED_KEY"] };
const other = { id: "other", credentials: ["SHARED_KEY"] };
const user = [
  { owner, agent: "", variable: "ONE_KEY", secret: "first" },
  { owner, agent: "", variable: "SHARED_KEY", secret: "shared" },
  { owner, agent: "other", variable: "SHARED_KEY", secret: "others-own" },
  { owner, agent: "other", variable: "TOKEN", secret: "token" },
];

describe("what an agent is given", () => {
  test("is what was bound to it by name, and what it declares itself", () => {
    expect(resolveBindings(one, { user })).toEqual({ ONE_KEY: "first", SHARED_KEY: "shared" });
    expect(resolveBindings(other, { user })).toEqual({ SHARED_KEY: "others-own", TOKEN: "token" });
  });

  test("is nothing that another agent was given, nor what no agent declares", () => {
    const third = { id: "third", credentials: [] };
    expect(resolveBindings(third, { user })).toEqual({});
  });

  test("is decided by the nearest: the request, the sandbox, the template, the user", () => {
    const layers = {
      user,
      template: { ONE_KEY: "template", A: "template", B: "template", C: "template" },
      sandbox: { A: "sandbox", B: "sandbox" },
      request: { B: "request" },
    };
    expect(resolveBindings(one, layers)).toEqual({
      ONE_KEY: "template",
      SHARED_KEY: "shared",
      A: "sandbox",
      B: "request",
      C: "template",
    });
  });
});

test("a process of the user's own is given what was named for it, and nothing of any agent", () => {
  expect(resolveBindings(undefined, { user, request: { X: "token" } })).toEqual({ X: "token" });
});
