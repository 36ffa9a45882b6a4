import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { CattlegridError } from "../../../errors/error.ts";
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
  const failed = results.flatMap(({ error }) => error ?? []);
  if (flags.json) {
    const shown = results.map(({ path, error }) => {
      const { code, message, hint, details } = error ?? {};
      return error === undefined
        ? { path, ok: true }
        : { path, ok: false, code, message, hint, ...details };
    });
    caller.output.write(`${JSON.stringify({ templates: shown }, undefined, 2)}\n`);
  } else {
    for (const error of failed) caller.errors.write(renderError(error));
    for (const { path, error } of results) {
      if (error === undefined) tell(caller, `cattlegrid: ${makeOneLine(path)} is in order.`);
    }
  }
  api.signal.throwIfAborted();
  return failed.length === 0 ? 0 : EXIT_FAILED;
};

async function lint(
  path: string,
  { api }: VerbContext,
): Promise<{ path: string; error?: CattlegridError }> {
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
