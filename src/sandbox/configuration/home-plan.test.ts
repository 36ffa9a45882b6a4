import { describe, expect, test } from "vitest";
import type { ConfigurationFile } from "../../agent/configuration/configuration.ts";
import {
  checkHomePath,
  describePlaced,
  type HomeFile,
  listRead,
  NOTHING_PLACED,
  type PlacedFiles,
  planHome,
} from "./home-plan.ts";

type Home = Map<string, HomeFile>;

/** The home after the plan for `wanted` was carried out. */
function start(home: Home, wanted: ConfigurationFile[], former = NOTHING_PLACED): PlacedFiles {
  const known = new Map([...home].filter(([path]) => listRead(wanted, former).includes(path)));
  const { writes, removals } = planHome({ wanted, former, home: known });
  for (const path of removals) home.delete(path);
  for (const { path, ...file } of writes) home.set(path, file);
  return describePlaced(wanted);
}

const textsOf = (home: Home): Record<string, string> =>
  Object.fromEntries([...home].map(([path, { content }]) => [path, content.toString()]));
const file = (text: string, mode = 0o644): HomeFile => ({ content: Buffer.from(text), mode });

const WANTED: ConfigurationFile[] = [
  { path: "notes.md", content: "whole\n", mode: 0o600 },
  { path: "AGENTS.md", block: "Be kind." },
  { path: "settings.json", settings: { model: "m" }, format: "json" },
];

describe("a home", () => {
  test("comes to hold what is wanted beside what is there, and again changes nothing", () => {
    const home: Home = new Map([
      ["AGENTS.md", file("Mine.\n")],
      ["settings.json", file('{"own":1}', 0o600)],
    ]);
    const placed = start(home, WANTED);
    expect(textsOf(home)).toMatchObject({ "notes.md": "whole\n" });
    expect(home.get("settings.json")?.mode).toBe(0o600);
    expect(home.get("AGENTS.md")?.content.toString()).toMatch(/^Mine\.\n<!--.*\nBe kind\.\n<!--/);
    expect(planHome({ wanted: WANTED, former: placed, home })).toEqual({
      writes: [],
      removals: [],
    });
  });

  test("is as it was before when nothing is wanted any more", () => {
    const before = { "AGENTS.md": "Mine.\n", "own.txt": "x" };
    const home: Home = new Map(Object.entries(before).map(([path, text]) => [path, file(text)]));
    start(home, [], start(home, WANTED));
    expect(textsOf(home)).toEqual(before);
  });

  test("loses nothing of a settings file that cannot be read", () => {
    const home: Home = new Map([["settings.json", file("{ broken")]]);
    start(home, WANTED);
    expect(textsOf(home)).toMatchObject({
      "settings.json": '{\n  "model": "m"\n}\n',
      "settings.json.unreadable": "{ broken",
    });
  });
});

test.each(["/etc/passwd", "../x", "a/../../x", "a//b", "./a", "", "a\nremove 0 b", "a/"])(
  "%j is no path of a template's file",
  (path) => {
    expect(() => checkHomePath(path)).toThrow(
      expect.objectContaining({ code: "TEMPLATE_INVALID" }),
    );
    expect(() => checkHomePath(".config/a b/ü.json")).not.toThrow();
  },
);
