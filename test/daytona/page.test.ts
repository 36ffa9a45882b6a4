import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";

const PAGE = join(import.meta.dirname, "../../docs/providers/daytona.md");
const TOKEN = /\]\((?<path>[^)]+\.ts)\)|(?<!\*)\*(?<title>[^*|]+)\*(?!\*)/g;

interface Citation {
  path: string;
  title: string;
}

/** Each title counts for the file that was linked last before it. */
function citationsOf(section: string): readonly Citation[] {
  const found: Citation[] = [];
  let path = "";
  for (const { groups = {} } of section.matchAll(TOKEN)) {
    if (groups["path"] !== undefined) path = groups["path"];
    else found.push({ path, title: groups["title"] ?? "" });
  }
  return found;
}

/** Of the code: the texts between quotes. */
function textsOf(path: string): readonly string[] {
  const code = readFileSync(join(dirname(PAGE), path), "utf8");
  return [...code.matchAll(/"((?:[^"\\\n]|\\.)*)"/g)].map(([, text = ""]) => text);
}

const page = readFileSync(PAGE, "utf8");
const section = (title: string): string =>
  page.split(/^## /m).find((each) => each.startsWith(title)) ?? "";
const rowsOf = (text: string): readonly string[] =>
  text
    .split("\n")
    .filter((line) => line.startsWith("| ") && !/^\| (---|the guide|what) /.test(line));

describe("the page of the Daytona provider", () => {
  test.each(["Better than the guide", "Failures"])("%s: each row names a test", (title) => {
    const rows = rowsOf(section(title));
    expect(rows.length).toBeGreaterThan(7);
    expect(rows.filter((row) => citationsOf(row).length === 0)).toEqual([]);
  });

  test.each(["Better than the guide", "Failures"].flatMap((title) => citationsOf(section(title))))(
    "$title is a test of $path",
    ({ path, title }) => {
      expect(textsOf(path).some((text) => text.includes(title))).toBe(true);
    },
  );
});
