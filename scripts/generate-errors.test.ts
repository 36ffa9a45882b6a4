import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ERROR_CODES } from "../src/errors/codes.ts";
import { renderErrorsPage } from "./errors-page.ts";

test("docs/errors.md equals what the codes generate", () => {
  const page = readFileSync(join(import.meta.dirname, "../docs/errors.md"), "utf8");
  expect(page).toBe(renderErrorsPage(ERROR_CODES));
});

test("a hint with a vertical bar stays in its cell", () => {
  const hint = "a | b";
  const page = renderErrorsPage({ X: { fault: "user", httpStatus: 400, exitCode: 125, hint } });
  expect(page).toContain("| `X` | user | 125 | 400 | a \\| b |");
});
