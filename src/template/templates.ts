import { CattlegridError } from "../errors/error.ts";
import { findNearest } from "../platform/nearest-name.ts";
import type { TemplateChoice } from "../protocol/template-choice.ts";
import type { ResolvedTemplate } from "../protocol/template.ts";
import type { Bindings } from "../protocol/secret.ts";
import type { TemplateApprovalRepository } from "../store/template-approval-rows.ts";
import type { LoadedTemplate } from "./content.ts";
import type { ParameterValues } from "./interpolation.ts";
import { loadTemplate } from "./loading.ts";
import { answerParameters } from "./parameters.ts";
import {
  findPlace,
  findProjectPlace,
  listPlaces,
  PROJECT_TEMPLATE,
  type TemplateDirectories,
  type TemplatePlace,
} from "./places.ts";
import { resolveTemplate } from "./resolve.ts";

export interface TemplatesOptions {
  directories: TemplateDirectories;
  approvals: TemplateApprovalRepository;
  /** Throws SECRET_NOT_FOUND unless there is each of them. */
  requireSecrets(bindings: Bindings): Promise<void>;
}

/** For whom a template is resolved. */
export interface TemplateUse {
  owner: string;
  /** Real path; null or absent for none. */
  workspace?: string | null | undefined;
  agent?: string | undefined;
  /** What the sandbox has that is made anew. */
  kept?: ParameterValues;
}

export interface TemplateResolution {
  loaded: LoadedTemplate;
  resolved: ResolvedTemplate;
}

/** The templates of one engine. Files are read when somebody asks, so that a change of one counts at once. */
export interface Templates {
  /** By name, or that of the workspace. Throws TEMPLATE_UNKNOWN or TEMPLATE_INVALID. */
  load(name: string, workspace?: string | null): Promise<LoadedTemplate>;
  /**
   * For a sandbox that is made. Throws what `load` does, TEMPLATE_UNTRUSTED, PARAMETER_MISSING, PARAMETER_INVALID,
   * TEMPLATE_FIXED or SECRET_NOT_FOUND.
   */
  resolve(choice: TemplateChoice, use: TemplateUse): Promise<TemplateResolution>;
}

export function createTemplates(options: TemplatesOptions): Templates {
  const { directories, approvals, requireSecrets } = options;
  const load = async (name: string, workspace?: string | null): Promise<LoadedTemplate> =>
    loadTemplate(directories, await find(directories, name, workspace));
  return {
    load,
    async resolve({ name, parameters: given = {} }, { owner, workspace, agent, kept }) {
      const loaded = await load(name, workspace);
      await requireApproval(approvals, owner, loaded);
      const declared = loaded.content.parameters ?? {};
      const values = answerParameters(declared, { given, ...(kept && { kept }) });
      const resolved = resolveTemplate(loaded, { values, agent });
      await requireSecrets(resolved.bindings);
      return { loaded, resolved };
    },
  };
}

async function find(
  directories: TemplateDirectories,
  name: string,
  workspace: string | null | undefined,
): Promise<TemplatePlace> {
  if (name !== PROJECT_TEMPLATE) {
    return (await findPlace(directories, name)) ?? (await refuseUnknown(directories, name));
  }
  const place = typeof workspace === "string" ? await findProjectPlace(workspace) : undefined;
  if (place !== undefined) return place;
  const message =
    typeof workspace === "string"
      ? `${workspace} has no template of its own.`
      : "Without a workspace there is no project's template.";
  throw new CattlegridError("TEMPLATE_UNKNOWN", message, {
    hint: "A project's template is the file .cattlegrid/cattlegrid.template.yaml.",
  });
}

async function refuseUnknown(directories: TemplateDirectories, name: string): Promise<never> {
  const names = (await listPlaces(directories)).map((place) => place.name);
  const nearest = findNearest(name, names);
  const guess = nearest === undefined ? "" : ` Did you mean ${nearest}?`;
  throw new CattlegridError("TEMPLATE_UNKNOWN", `There is no template ${name}.${guess}`);
}

/** SECURITY: whoever writes a project is not who runs it; nothing of its template counts before somebody said yes to it. */
async function requireApproval(
  approvals: TemplateApprovalRepository,
  owner: string,
  { origin, digest, paths: [path = ""] }: LoadedTemplate,
): Promise<void> {
  if (origin !== "project" || (await approvals.has(owner, digest))) return;
  const message = `The project's template ${path} is not approved as it is now.`;
  throw new CattlegridError("TEMPLATE_UNTRUSTED", message, { details: { path, digest } });
}
