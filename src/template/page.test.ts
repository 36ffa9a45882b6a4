import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { OWNER, SandboxYard } from "../../test/support/sandbox-yard.ts";
import { templateFileSchema } from "../protocol/template-file.ts";
import { TEMPLATE_FILE } from "./places.ts";

const PAGE = readFileSync(join(import.meta.dirname, "../../docs/templates.md"), "utf8");

let yard: SandboxYard;
beforeEach(async () => void (yard = await SandboxYard.open()));
afterEach(async () => {
  await yard.close();
  yard.remove();
});

test("the page's example is a template, and means what is said of it", async () => {
  const [example = ""] = /^ {4}version: 1\n(?: {4}.*\n)+/m.exec(PAGE) ?? [];
  yard.writeTemplate("company", "version: 1\n");
  yard.writeTemplate("team", {
    [TEMPLATE_FILE]: example.replaceAll(/^ {4}/gm, ""),
    "team.md": "Be kind.",
    "most.yaml": "preset: agent\nallow: [git.example]\n",
  });
  const parameters = { team: "blue", forge: "forge-token" };
  const resolved = await yard.templates.preview({ name: "team", parameters }, { owner: OWNER });
  expect(resolved).toMatchObject({
    agent: "kiro",
    setup: [{ environment: { PARAM_TEAM: "blue" } }],
    files: [{ content: 'team = "blue"\n' }],
    environment: { TEAM: "blue" },
    bindings: { FORGE_TOKEN: "forge-token" },
    policy: { allow: ["git.example", "blue.shop.example"] },
    lifetime: { maxAgeMs: 28_800_000 },
  });
});

test("the page names every key of a template", () => {
  const missing = Object.keys(templateFileSchema.shape).filter(
    (key) => key !== "version" && !PAGE.includes(`\`${key}\``),
  );
  expect(missing).toEqual([]);
});
