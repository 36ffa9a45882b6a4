import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isReadable, mergeSettings, readTree } from "./settings-text.ts";
import type { Tree } from "./tree.ts";

const merge = (existing: string | undefined, settings: Tree, former: Tree = {}): string =>
  mergeSettings({ settings, format: "json" }, { existing, former, home: new Map() });

describe("settings laid over a file", () => {
  test("keep what is not mentioned, in its place", () => {
    const text = merge('{"a":1,"b":{"c":2,"d":3},"e":[1]}', { b: { c: 9 }, e: [2], f: true });
    expect(JSON.parse(text)).toEqual({ a: 1, b: { c: 9, d: 3 }, e: [2], f: true });
    expect(Object.keys(JSON.parse(text))).toEqual(["a", "b", "e", "f"]);
  });

  test("leave a file as it is, byte for byte, when there is nothing to say", () => {
    const text = '{ "a" : 1,\n\t"b": 2 }';
    expect(merge(text, { b: 2 })).toBe(text);
  });

  test("come out again when they are not wanted any more, and tables that are empty then", () => {
    const former = { mcpServers: { docs: { command: "x" } }, permissions: { allow: ["Bash"] } };
    const text = merge('{"own":1,"permissions":{"deny":["Read"]}}', former);
    expect(JSON.parse(merge(text, {}, former))).toEqual({
      own: 1,
      permissions: { deny: ["Read"] },
    });
  });

  test("replace an entry of a table of wholes as a whole, and spare its neighbours", () => {
    const settings = { mcpServers: { docs: { url: "https://docs.example" } } };
    const text = mergeSettings(
      { settings, format: "json", whole: ["mcpServers"] },
      {
        existing: '{"mcpServers":{"docs":{"command":"old"},"mine":{"command":"true"}}}',
        former: {},
        home: new Map(),
      },
    );
    expect(JSON.parse(text)).toEqual({
      mcpServers: { docs: { url: "https://docs.example" }, mine: { command: "true" } },
    });
  });

  test("are TOML where the file is", () => {
    const settings = { approval_policy: "untrusted", mcp_servers: { docs: { command: "x" } } };
    const text = mergeSettings(
      { settings, format: "toml" },
      { existing: "check = false\n[analytics]\nenabled = false\n", former: {}, home: new Map() },
    );
    expect(readTree(text, "toml")).toEqual({
      check: false,
      analytics: { enabled: false },
      ...settings,
    });
    expect([isReadable(text, "toml"), isReadable("= 1", "toml")]).toEqual([true, false]);
  });

  test("are the same after any number of starts, and gone after the last", () => {
    const key = fc.constantFrom("a", "b", "c", "__proto__");
    const tree = fc.dictionary(key, fc.oneof(fc.integer(), fc.dictionary(key, fc.integer())));
    fc.assert(
      fc.property(tree, tree, (existing, settings) => {
        const once = merge(JSON.stringify(existing), settings);
        expect(merge(once, settings, settings)).toBe(once);
        const without = JSON.parse(merge(once, {}, settings)) as Tree;
        const plain = Object.entries(settings).filter(([, value]) => typeof value === "number");
        expect(plain.filter(([name]) => Object.hasOwn(without, name))).toEqual([]);
      }),
    );
  });
});
