import { lintSource } from "@secretlint/core";
import { secretLintProfiler } from "@secretlint/profiler";
import { rules } from "@secretlint/secretlint-rule-preset-recommend";

/** SECURITY: by this rule a comment in a file switches the others off, and whoever wrote the file writes the comments. */
const SWITCHES_OFF = "@secretlint/secretlint-rule-filter-comments";
const RULES = rules.filter(({ meta }) => meta.id !== SWITCHES_OFF);
const REASONS_MAX = 3;
// It would keep a hundred marks in memory for every file that is looked at, for as long as the process lives.
secretLintProfiler.setEnabled(false);

/** Why a text looks as if it held secrets: which kind and line, never the secret itself. Empty: it does not. */
export async function scanSecrets(path: string, text: string): Promise<readonly string[]> {
  const { messages } = await lintSource({
    source: { filePath: path, content: text, ext: extensionOf(path), contentType: "text" },
    options: {
      config: { rules: RULES.map((rule) => ({ id: rule.meta.id, rule })) },
      noPhysicFilePath: true,
      maskSecrets: true,
    },
  });
  const found = messages.map(({ ruleId, loc }) => {
    const kind = ruleId.replace(/^.*secretlint-rule-/, "");
    return `seems to hold a secret (${kind}) in line ${loc.start.line}`;
  });
  return [...new Set(found)].slice(0, REASONS_MAX);
}

function extensionOf(path: string): string {
  return /\.[^./]*$/.exec(path)?.[0] ?? "";
}
