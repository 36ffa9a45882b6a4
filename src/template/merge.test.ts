import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { TemplateContent } from "./content.ts";
import { mergeContents } from "./merge.ts";

describe("of a template and the one it begins with", () => {
  test("single values are the child's, where it says one", () => {
    const parent: TemplateContent = {
      title: "Parent",
      agent: "a",
      base: "host",
      policy: { preset: "open" },
      limits: { cpus: 4, memory: "8g" },
      workspace: { modes: ["direct"] },
      lifetime: { idleStop: "1h", maxAge: "1d" },
      regions: ["r1"],
    };
    const child: TemplateContent = {
      title: "Child",
      base: { image: "x" },
      policy: { preset: "locked" },
      limits: { cpus: 1 },
      workspace: { modes: ["readonly", "overlay"] },
      lifetime: { maxAge: "2h" },
      regions: ["r2"],
    };
    expect(mergeContents(parent, child)).toEqual({
      title: "Child",
      agent: "a",
      base: { image: "x" },
      policy: { preset: "locked" },
      limits: { cpus: 1, memory: "8g" },
      workspace: { modes: ["readonly", "overlay"] },
      lifetime: { idleStop: "1h", maxAge: "2h" },
      regions: ["r2"],
    });
  });

  test("maps are joined by key, and an entry of the same key is the child's whole", () => {
    const merged = mergeContents(
      {
        environment: { A: "1", B: "1" },
        mcpServers: { s: { command: "x", args: ["1"] }, t: { command: "t" } },
        parameters: { p: { type: "number", max: 3 } },
      },
      {
        environment: { B: "2" },
        mcpServers: { s: { command: "y" } },
        parameters: { p: { type: "string" } },
      },
    );
    expect(merged).toEqual({
      environment: { A: "1", B: "2" },
      mcpServers: { s: { command: "y" }, t: { command: "t" } },
      parameters: { p: { type: "string" } },
    });
  });

  test("what is said of an agent is joined field by field", () => {
    const merged = mergeContents(
      { agents: { a: { version: "1.0", trust: "ask" }, b: {} } },
      { agents: { a: { trust: "all" }, c: {} } },
    );
    expect(merged.agents).toEqual({ a: { version: "1.0", trust: "all" }, b: {}, c: {} });
  });

  test("of named lists the child's entries take the place of all of that name", () => {
    const merged = mergeContents(
      {
        files: [
          { path: "a", content: "1", when: { x: 1 } },
          { path: "b", content: "1" },
          { path: "a", content: "2", when: { x: 2 } },
        ],
      },
      {
        files: [
          { path: "c", content: "3" },
          { path: "a", content: "3" },
        ],
      },
    );
    expect(merged.files).toEqual([
      { path: "a", content: "3" },
      { path: "b", content: "1" },
      { path: "c", content: "3" },
    ]);
  });

  test("other lists are the parent's and then the child's", () => {
    const merged = mergeContents(
      {
        packages: { apt: ["a"], npm: ["n"] },
        setup: [{ run: "1" }],
        policy: { allow: ["x"] },
        workspace: { unprotect: ["u"] },
        import: ["mcp"],
      },
      {
        packages: { apt: ["b"] },
        setup: [{ run: "2" }],
        policy: { allow: ["y"] },
        workspace: { unprotect: ["v"] },
        import: ["steering"],
      },
    );
    expect(merged).toEqual({
      packages: { apt: ["a", "b"], npm: ["n"] },
      setup: [{ run: "1" }, { run: "2" }],
      policy: { allow: ["x", "y"] },
      workspace: { unprotect: ["u", "v"] },
      import: ["mcp", "steering"],
    });
  });
});

const name = fc.constantFrom("a", "b", "c");
const names = fc.array(name, { maxLength: 3 });
const ceilings = fc.array(fc.record({ path: name, text: name }), { maxLength: 2 });
const content = fc.record(
  {
    title: name,
    agent: name,
    agents: fc.dictionary(name, fc.record({ version: name, model: name }, { requiredKeys: [] })),
    environment: fc.dictionary(name, name),
    packages: fc.record({ apt: names, npm: names, pip: names }, { requiredKeys: [] }),
    files: fc.array(fc.record({ path: name, content: name }), { maxLength: 4 }),
    setup: fc.array(fc.record({ run: name }), { maxLength: 2 }),
    policy: fc.record({ preset: name, allow: names, deny: names, ceilings }, { requiredKeys: [] }),
    limits: fc.record({ cpus: fc.integer(), pids: fc.integer() }, { requiredKeys: [] }),
    workspace: fc.record({ unprotect: names }, { requiredKeys: [] }),
    lifetime: fc.record({ maxAge: name, idleStop: name }, { requiredKeys: [] }),
  },
  { requiredKeys: [] },
) as fc.Arbitrary<TemplateContent>;

test("of three generations it does not matter which two are merged first", () => {
  fc.assert(
    fc.property(content, content, content, (first, second, third) => {
      const left = mergeContents(mergeContents(first, second), third);
      expect(left).toEqual(mergeContents(first, mergeContents(second, third)));
    }),
  );
});

test("what any generation denies, and every ceiling, is there after all of them", () => {
  fc.assert(
    fc.property(fc.array(content, { minLength: 1, maxLength: 4 }), (generations) => {
      const { policy = {} } = generations.reduce(mergeContents);
      for (const { policy: said = {} } of generations) {
        expect(policy.deny ?? []).toEqual(expect.arrayContaining([...(said.deny ?? [])]));
        expect(policy.ceilings ?? []).toEqual(expect.arrayContaining([...(said.ceilings ?? [])]));
      }
    }),
  );
});
