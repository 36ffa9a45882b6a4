import { describeTemplateFile } from "../src/protocol/template-file.ts";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { z } from "zod";
import { ROUTES } from "../src/protocol/routes/all.ts";
import { describeAdapterFile } from "../src/agent/adapter-files/schema.ts";
import { describePolicyFile } from "../src/egress/policy/policy-schema.ts";
import { projectConfigurationSchema } from "../src/protocol/configuration.ts";
import { renderApiDocuments } from "./api-documents.ts";
import { describeConfiguration, renderSettings } from "./settings-documents.ts";
import { PROVIDERS } from "../src/daemon/plugins.ts";

const folder = join(import.meta.dirname, "..", "docs");
const isCheck = process.argv.includes("--check");
const describeSchema = (schema: z.ZodType): string =>
  `${JSON.stringify(z.toJSONSchema(schema), undefined, 2)}\n`;
const documents = {
  ...renderApiDocuments(ROUTES),
  "schemas/configuration.schema.json": `${JSON.stringify(describeConfiguration(PROVIDERS), undefined, 2)}\n`,
  "configuration.md": renderSettings(
    readFileSync(join(folder, "configuration.md"), "utf8"),
    PROVIDERS,
  ),
  "schemas/project-configuration.schema.json": describeSchema(projectConfigurationSchema),
  "schemas/agent.schema.json": `${JSON.stringify(describeAdapterFile(), undefined, 2)}\n`,
  "schemas/template.schema.json": `${JSON.stringify(describeTemplateFile(), undefined, 2)}\n`,
  "schemas/policy.schema.json": `${JSON.stringify(describePolicyFile(), undefined, 2)}\n`,
};
for (const [name, text] of Object.entries(documents)) {
  const path = join(folder, name);
  if (!isCheck) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  } else if (readFileSync(path, "utf8") !== text) {
    console.error(`docs/${name} is out of date: run \`npm run generate\``);
    process.exitCode = 1;
  }
}
