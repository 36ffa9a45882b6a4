import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readOwnConfiguration } from "./own-configuration.ts";

const PLACES = {
  agent: "An agent",
  steering: [".agent/steering", ".agent/NOTES.md"],
  mcp: [{ path: ".agent/mcp.json", keys: ["servers"] }],
};
// In two halves, so that no scanner takes this file for one that holds a secret.
const SECRET = ["ghp_", "0123456789abcdefghijklmnopqrstuvwxyz"].join("");

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "cg-own-"));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const write = (path: string, content: string | Buffer): void => {
  mkdirSync(dirname(join(home, path)), { recursive: true });
  writeFileSync(join(home, path), content);
};
const writeServers = (servers: unknown): void =>
  write(".agent/mcp.json", JSON.stringify({ servers, other: 1 }));

test("takes Markdown files of a directory, and single ones", async () => {
  write(".agent/steering/a.md", "Be kind.\n");
  write(".agent/steering/other.txt", "no\n");
  write(".agent/NOTES.md", "Notes.\n");
  expect(await readOwnConfiguration(PLACES, home)).toEqual({
    imported: {
      steering: [
        { name: "a.md", content: "Be kind.\n" },
        { name: "NOTES.md", content: "Notes.\n" },
      ],
      mcpServers: {},
    },
    leftOut: [],
  });
});

test("takes nothing where there is nothing", async () => {
  const nothing = { imported: { steering: [], mcpServers: {} }, leftOut: [] };
  expect(await readOwnConfiguration(PLACES, home)).toEqual(nothing);
});

test("leaves out links, what is too large, no text, or looks like a secret, and says so", async () => {
  write("elsewhere.md", "elsewhere\n");
  write(".agent/steering/kept.md", "kept\n");
  symlinkSync(join(home, "elsewhere.md"), join(home, ".agent/steering/link.md"));
  symlinkSync("/etc", join(home, ".agent/NOTES.md"));
  write(".agent/steering/large.md", "x".repeat(65_537));
  write(".agent/steering/binary.md", Buffer.from([0xff, 0xfe, 0xff]));
  write(".agent/steering/secret.md", `The token is ${SECRET}\n`);
  const { imported, leftOut } = await readOwnConfiguration(PLACES, home);
  expect(imported.steering).toEqual([{ name: "kept.md", content: "kept\n" }]);
  expect(leftOut.toSorted().join("\n")).toMatch(
    /^~.*NOTES\.md is a link[^]*binary\.md is no text[^]*large\.md .*65536[^]*link\.md .*a link[^]*secret\.md seems to hold a secret/,
  );
  expect(leftOut.join("\n")).not.toContain(SECRET);
});

test("reads nothing through a directory that leads out of the home", async () => {
  mkdirSync(join(home, "inner/.agent"), { recursive: true });
  write("outer/a.md", "outside\n");
  symlinkSync(join(home, "outer"), join(home, "inner/.agent/steering"));
  const { imported, leftOut } = await readOwnConfiguration(PLACES, join(home, "inner"));
  expect([imported.steering, leftOut]).toEqual([[], ["~/.agent/steering is a link"]]);
});

test("takes servers without what they trust, and none that may hold a credential", async () => {
  writeServers({
    plain: { command: "tool", args: ["--fast"], env: { COLOUR: "red" }, autoApprove: ["*"] },
    remote: { url: "https://tools.example/mcp", type: "http" },
    off: { command: "tool", disabled: true },
    named: { command: "tool", env: { API_KEY: "1" } },
    looking: { command: "tool", env: { PLACE: SECRET } },
    header: { url: "https://tools.example/mcp", headers: { Authorization: "Bearer 1" } },
    query: { url: "https://tools.example/mcp?id=1" },
    option: { command: "tool", args: ["--api-key=1"] },
    odd: { command: 1 },
  });
  const { imported, leftOut } = await readOwnConfiguration(PLACES, home);
  expect(imported.mcpServers).toEqual({
    plain: { command: "tool", args: ["--fast"], environment: { COLOUR: "red" } },
    remote: { url: "https://tools.example/mcp" },
  });
  const names = leftOut.map((each) => each.split(" ")[3]);
  expect(names).toEqual(["named", "looking", "header", "query", "option", "odd"]);
  expect(leftOut.join("\n")).not.toContain(SECRET);
});

test("says of a file that is no JSON that it is none", async () => {
  write(".agent/mcp.json", "{");
  expect((await readOwnConfiguration(PLACES, home)).leftOut).toEqual([
    "~/.agent/mcp.json is no JSON",
  ]);
});
