import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { CattlegridError } from "../../../errors/error.ts";
import { listProblems } from "../../../platform/joined-problems.ts";
import type { TemplateList, TemplateSummary } from "../../../protocol/template-list.ts";
import { tell } from "../../caller.ts";
import { makeOneLine, renderError } from "../../output/error-text.ts";
import { currentWorkspace, type TemplateVerb } from "../template-verb.ts";
import type { VerbContext } from "../../verb.ts";

const EXIT_FAILED = 125;

/** A file, a template by its name, or all there are; every one is looked at before the status is told. */
export const lintTemplates: TemplateVerb = async ({ flags, names }, context) => {
  const { api, caller } = context;
  const paths = await findPaths(names, context);
  const results = [];
  for (const path of paths) results.push(await lint(path, context));
  if (flags.json) {
    const shown = results.map(({ path, error }) => {
      if (error === undefined) return { path, ok: true };
      const { code, message, hint, details } = error;
      return { path, ok: false, code, message, hint, ...details, problems: listProblems(error) };
    });
    caller.output.write(`${JSON.stringify({ templates: shown }, undefined, 2)}\n`);
  } else {
    for (const result of results) tellResult(result, context);
  }
  api.signal.throwIfAborted();
  return results.every(({ error }) => error === undefined) ? 0 : EXIT_FAILED;
};

interface LintResult {
  path: string;
  error?: CattlegridError;
}

function tellResult({ path, error }: LintResult, { caller }: VerbContext): void {
  const shown = makeOneLine(path);
  if (error === undefined) return tell(caller, `cattlegrid: ${shown} is in order.`);
  const problems = listProblems(error);
  for (const { message, hint } of problems) {
    caller.errors.write(renderError(new CattlegridError(error.code, message, { hint })));
  }
  if (problems.length > 1) tell(caller, `cattlegrid: ${shown} has ${problems.length} problems.`);
}

async function lint(path: string, { api }: VerbContext): Promise<LintResult> {
  try {
    await api.post<TemplateSummary>("/v1/templates/lint", { path });
    return { path };
  } catch (error) {
    if (!CattlegridError.is(error)) throw error;
    return { path, error };
  }
}

async function findPaths(
  names: readonly string[],
  context: VerbContext,
): Promise<readonly string[]> {
  const { api, caller } = context;
  const workspace = encodeURIComponent(await currentWorkspace(context));
  const { templates } = await api.get<TemplateList>(`/v1/templates?workspace=${workspace}`);
  if (names.length === 0) return templates.map(({ path }) => path);
  return names.map((name) => {
    const file = resolve(caller.directory, name);
    const known = templates.find((each) => each.name === name && each.coveredBy === undefined);
    return existsSync(file) || known === undefined ? file : known.path;
  });
}
