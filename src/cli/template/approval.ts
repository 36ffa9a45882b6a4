import { CattlegridError } from "../../errors/error.ts";
import type { TemplateDetail, TemplateSummary } from "../../protocol/template-list.ts";
import { canAsk, tell } from "../caller.ts";
import { makeOneLine, makePrintable } from "../output/error-text.ts";
import type { VerbContext } from "../verb.ts";

export const PROJECT_TEMPLATE = "project";

/** Where one template is shown; `workspace` is for the project's own. */
export function templatePath(name: string, workspace: string | null | undefined): string {
  const query = typeof workspace === "string" ? `?workspace=${encodeURIComponent(workspace)}` : "";
  return `/v1/templates/${encodeURIComponent(name)}${query}`;
}

export interface ApprovalWish {
  workspace: string;
  /** Whether a person may be asked; approved without a question when not. */
  asks: boolean;
}

/** Tells what the template of a workspace would do, and approves it. Throws INTERRUPTED when the person says no. */
export async function approveProject(
  { workspace, asks }: ApprovalWish,
  { api, caller }: VerbContext,
): Promise<TemplateSummary> {
  const { summary, effects } = await api.get<TemplateDetail>(
    templatePath(PROJECT_TEMPLATE, workspace),
  );
  tell(caller, renderEffects(summary, effects));
  if (asks && canAsk(caller)) await requireYes(caller);
  const { digest } = summary;
  return api.post<TemplateSummary>("/v1/templates/approve", { workspace, digest });
}

/** SECURITY: the default is no, and whoever only presses Enter has said no. */
async function requireYes({ input, errors: output }: VerbContext["caller"]): Promise<void> {
  const { confirm } = await import("@clack/prompts");
  const message = "Do you trust it? It is asked again whenever the template changes.";
  if ((await confirm({ message, initialValue: false, input, output })) === true) return;
  throw new CattlegridError("INTERRUPTED", "The template was not approved, and nothing was made.");
}

export function renderEffects(
  { path }: TemplateSummary,
  effects: TemplateDetail["effects"],
): string {
  const lines = effects.flatMap(({ what, details }) => [
    `  It ${what}`,
    ...details.flatMap((detail) =>
      detail
        .split("\n")
        .map((line, index) => `    ${index === 0 ? "- " : "  "}${makePrintable(line)}`),
    ),
  ]);
  const none = ["  It asks for nothing but what every sandbox has."];
  const head = `cattlegrid: the project brings a template of its own, ${makeOneLine(path)}:`;
  return [head, ...(lines.length === 0 ? none : lines)].join("\n");
}
