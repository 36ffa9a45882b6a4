import { expect, test } from "vitest";
import { renderTable } from "./table.ts";

const HEAD = ["NAME", "STATE", "TITLE"];
const ROWS = [
  ["a", "ready", "One"],
  ["another", "-", "The other one\u001b[31m"],
];

test("a table has columns as wide as their cells", () => {
  expect(renderTable(HEAD, ROWS)).toBe(
    "NAME     STATE  TITLE\na        ready  One\nanother  -      The other one\\x1b[31m\n",
  );
});

test("a table that a screen is too narrow for is paragraphs, without empty cells", () => {
  expect(renderTable(HEAD, ROWS, 80)).toBe(renderTable(HEAD, ROWS));
  expect(renderTable(HEAD, ROWS, 20)).toBe(
    "a\n  state  ready\n  title  One\nanother\n  title  The other one\\x1b[31m\n",
  );
});
