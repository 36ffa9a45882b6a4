import { join } from "node:path";
import { CattlegridError } from "../errors/error.ts";
import { findNearest } from "../platform/nearest-name.ts";
import type { TemplateChoice } from "../protocol/template-choice.ts";
import type { TemplateDetail, TemplateSummary } from "../protocol/template-list.ts";
import type { ResolvedTemplate } from "../protocol/template.ts";
import type { Bindings } from "../protocol/secret.ts";
import type { TemplateApprovalRepository } from "../store/template-approval-rows.ts";
import type { LoadedTemplate } from "./content.ts";
import { listEffects } from "./effects.ts";
import type { ParameterValues } from "./interpolation.ts";
import { loadTemplate } from "./loading.ts";
import { showParameter } from "./parameter-view.ts";
import { answerParameters, type Parameters } from "./parameters.ts";
import {
  findPlace,
  findProjectPlace,
  listPlaces,
  placeOf,
  PROJECT_TEMPLATE,
  TEMPLATE_FILE,
  type TemplateDirectories,
  type TemplatePlace,
} from "./places.ts";
import { resolveTemplate } from "./resolve.ts";

export interface TemplatesOptions {
  directories: TemplateDirectories;
  approvals: TemplateApprovalRepository;
  /** Ids of those there are, for `lint`. Default: any. */
  agents?(): readonly string[];
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

export interface Approval {
  owner: string;
  workspace: string;
  /** Of what the person saw. */
  digest: string;
}

/** The templates of one engine. Files are read when somebody asks, so that a change of one counts at once. */
export interface Templates {
  /** By name, or that of the workspace. Throws TEMPLATE_UNKNOWN or TEMPLATE_INVALID. */
  load(name: string, workspace?: string | null): Promise<LoadedTemplate>;
  /** In the order to offer them in; those that cannot be used, too. */
  list(owner: string, workspace?: string): Promise<readonly TemplateSummary[]>;
  /** As it is written. Throws what `load` does. */
  show(name: string, use: TemplateUse): Promise<TemplateDetail>;
  /**
   * For a sandbox that is made. Throws what `load` does, TEMPLATE_UNTRUSTED, PARAMETER_MISSING, PARAMETER_INVALID,
   * TEMPLATE_FIXED or SECRET_NOT_FOUND.
   */
  resolve(choice: TemplateChoice, use: TemplateUse): Promise<TemplateResolution>;
  /** The same for somebody who only looks: no approval is needed and no secret has to be there. */
  preview(choice: TemplateChoice, use: TemplateUse): Promise<ResolvedTemplate>;
  /** A template's file, or the directory that it lies in. Throws TEMPLATE_INVALID. */
  lint(path: string): Promise<TemplateSummary>;
  /** Throws TEMPLATE_UNTRUSTED when the template has become another one since the person saw it. */
  approve(approval: Approval): Promise<TemplateSummary>;
  /** That the vault has each. Throws SECRET_NOT_FOUND, and PARAMETER_INVALID for a secret that somebody chose. */
  requireSecrets(resolved: ResolvedTemplate, declared?: Parameters): Promise<void>;
}

export function createTemplates(options: TemplatesOptions): Templates {
  return new FileTemplates(options);
}

class FileTemplates implements Templates {
  readonly #options: TemplatesOptions;

  constructor(options: TemplatesOptions) {
    this.#options = options;
  }

  async load(name: string, workspace?: string | null): Promise<LoadedTemplate> {
    const { directories } = this.#options;
    return loadTemplate(directories, await find(directories, name, workspace));
  }

  async list(owner: string, workspace?: string): Promise<readonly TemplateSummary[]> {
    const { directories } = this.#options;
    const project = workspace === undefined ? undefined : await findProjectPlace(workspace);
    const places = [
      ...(await listPlaces(directories)),
      ...(project === undefined ? [] : [project]),
    ];
    const seen = new Map<string, TemplatePlace>();
    const summaries: TemplateSummary[] = [];
    for (const place of places) {
      const cover = seen.get(place.name);
      const summary = await this.#summarise(owner, place);
      summaries.push(cover === undefined ? summary : { ...summary, coveredBy: cover.origin });
      if (cover === undefined) seen.set(place.name, place);
    }
    return summaries;
  }

  async show(name: string, { owner, workspace }: TemplateUse): Promise<TemplateDetail> {
    const loaded = await this.load(name, workspace);
    const summary = await this.#describe(owner, loaded);
    const { texts, content } = loaded;
    return { summary, files: texts, effects: listEffects(content) };
  }

  async resolve(choice: TemplateChoice, use: TemplateUse): Promise<TemplateResolution> {
    const loaded = await this.load(choice.name, use.workspace);
    await this.#requireApproval(use.owner, loaded);
    const resolved = answer(loaded, choice, use);
    await this.requireSecrets(resolved, loaded.content.parameters);
    return { loaded, resolved };
  }

  async preview(choice: TemplateChoice, use: TemplateUse): Promise<ResolvedTemplate> {
    return answer(await this.load(choice.name, use.workspace), choice, use);
  }

  async lint(path: string): Promise<TemplateSummary> {
    const { directories, agents } = this.#options;
    return summarise(await loadTemplate(directories, await placeOf(path), agents?.()));
  }

  async approve({ owner, workspace, digest }: Approval): Promise<TemplateSummary> {
    const loaded = await this.load(PROJECT_TEMPLATE, workspace);
    if (loaded.digest !== digest) throw untrusted(loaded);
    const approvedAt = new Date().toISOString();
    await this.#options.approvals.put({ owner, digest, workspace, approvedAt });
    return this.#describe(owner, loaded);
  }

  async requireSecrets(
    { parameters, bindings }: ResolvedTemplate,
    declared: Parameters = {},
  ): Promise<void> {
    const { requireSecrets } = this.#options;
    for (const [name, value] of Object.entries(parameters)) {
      if (declared[name]?.type !== "secret") continue;
      await requireSecrets({ [name]: String(value) }).catch((error: unknown) => {
        throw CattlegridError.is(error, "SECRET_NOT_FOUND") ? noSecret(name) : error;
      });
    }
    await requireSecrets(bindings);
  }

  /** One that is wrong takes nobody's other templates away. */
  async #summarise(owner: string, place: TemplatePlace): Promise<TemplateSummary> {
    try {
      return await this.#describe(owner, await loadTemplate(this.#options.directories, place));
    } catch (error) {
      if (!CattlegridError.is(error)) throw error;
      const { name, origin, directory } = place;
      const { code, message, hint } = error;
      const path = join(directory, TEMPLATE_FILE);
      return { name, title: name, origin, path, parameters: [], problem: { code, message, hint } };
    }
  }

  async #describe(owner: string, loaded: LoadedTemplate): Promise<TemplateSummary> {
    const summary = summarise(loaded);
    if (loaded.origin !== "project") return summary;
    return { ...summary, approved: await this.#options.approvals.has(owner, loaded.digest) };
  }

  /** SECURITY: whoever writes a project is not who runs it; nothing of its template counts before somebody said yes to it. */
  async #requireApproval(owner: string, loaded: LoadedTemplate): Promise<void> {
    if (loaded.origin !== "project") return;
    if (!(await this.#options.approvals.has(owner, loaded.digest))) throw untrusted(loaded);
  }
}

function answer(
  loaded: LoadedTemplate,
  { parameters: given = {} }: TemplateChoice,
  { agent, kept = {} }: TemplateUse,
): ResolvedTemplate {
  const values = answerParameters(loaded.content.parameters ?? {}, { given, kept });
  return resolveTemplate(loaded, { values, agent });
}

function summarise({ name, origin, paths, digest, content }: LoadedTemplate): TemplateSummary {
  const { title = name, description, agent, agents = {}, parameters = {} } = content;
  const [only, ...others] = Object.keys(agents);
  const chosen = agent ?? (others.length === 0 ? only : undefined);
  return {
    name,
    title,
    ...(description === undefined ? {} : { description }),
    origin,
    path: paths[0] ?? "",
    digest,
    ...(chosen === undefined ? {} : { agent: chosen }),
    parameters: Object.entries(parameters).map((entry) => showParameter(...entry)),
  };
}

/** SECURITY: what was given may be the secret itself, by mistake, and is in no message. */
function noSecret(parameter: string): CattlegridError {
  const message = `The parameter ${parameter}: the vault has no secret of that name.`;
  return new CattlegridError("PARAMETER_INVALID", message, {
    hint: "List secrets with `cattlegrid secret ls`, and keep one with `cattlegrid secret set NAME`.",
    details: { parameter },
  });
}

function untrusted({ digest, paths: [path = ""] }: LoadedTemplate): CattlegridError {
  const message = `The project's template ${path} is not approved as it is now.`;
  return new CattlegridError("TEMPLATE_UNTRUSTED", message, { details: { path, digest } });
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
