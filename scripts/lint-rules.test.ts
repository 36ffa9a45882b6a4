import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";

const ROOT = join(import.meta.dirname, "..");

const BROKEN = `import { b } from "./b.ts";
export async function a(x: any, y: number, z: number, w: number): Promise<void> {
  try { b(); } catch {}
  a(x!, y, z, w);
  if (x) { if (y) { if (z) { if (w) { b(); } } } }
  setTimeout(async () => { await a(x, y, z, w); }, 1);
  throw "text";
}
export function long(n: number): number {
${"  n += 1;\n".repeat(61)}  return n;
}
export function branches(n: number): number {
${"  if (n === 1) return 2;\n".repeat(13)}  return n;
}
export async function early(): Promise<void> {
  using held = { [Symbol.dispose]() {} };
  return a(held, 1, 2, 3);
}
export default a;
${Array.from({ length: 250 }, (_, index) => `export const filler${index} = 1;`).join("\n")}
`;

interface Diagnostic {
  code: string;
}

test("every rule that CONTRIBUTING names fires, those that need types among them", () => {
  const tree = mkdtempSync(join(tmpdir(), "lint-"));
  onTestFinished(() => rmSync(tree, { recursive: true }));
  mkdirSync(join(tree, "src"));
  for (const file of [".oxlintrc.json", "tsconfig.json"]) {
    copyFileSync(join(ROOT, file), join(tree, file));
  }
  symlinkSync(join(ROOT, "node_modules"), join(tree, "node_modules"));
  writeFileSync(join(tree, "src/a.ts"), BROKEN);
  writeFileSync(
    join(tree, "src/b.ts"),
    'import type { a } from "./a.ts";\nexport const b = (): typeof a | undefined => undefined;\n',
  );
  const oxlint = join(ROOT, "node_modules/.bin/oxlint");
  const { stdout, status } = spawnSync(oxlint, ["--format", "json", "src"], {
    cwd: tree,
    timeout: 15_000,
    encoding: "utf8",
  });
  const { diagnostics } = JSON.parse(stdout) as { diagnostics: Diagnostic[] };
  expect(status).toBe(1);
  expect([...new Set(diagnostics.map(({ code }) => code))]).toEqual(
    expect.arrayContaining([
      "eslint(max-lines)",
      "eslint(max-lines-per-function)",
      "eslint(max-params)",
      "eslint(max-depth)",
      "eslint(complexity)",
      "eslint(no-empty)",
      "typescript(no-explicit-any)",
      "typescript(no-non-null-assertion)",
      "typescript(no-floating-promises)",
      "typescript(no-misused-promises)",
      "typescript(only-throw-error)",
      "typescript(return-await)",
      "import(no-cycle)",
      "import(no-default-export)",
    ]),
  );
});
