import { CattlegridError } from "../../errors/error.ts";
import type { ParameterValue } from "../../protocol/template-choice.ts";
import type { SandboxParameters } from "../../protocol/template-list.ts";
import type { SandboxRow, StoredSpecification, TemplateMaking } from "../../store/sandbox-rows.ts";
import type { Store } from "../../store/store.ts";
import { applyTemplate } from "../../template/narrowing.ts";
import { showParameter } from "../../template/parameter-view.ts";
import { answerParameters, refuseFixed } from "../../template/parameters.ts";
import { resolveTemplate } from "../../template/resolve.ts";
import type { Templates } from "../../template/templates.ts";
import { describeSandbox, type DescriptionOptions, type TemplatePart } from "./description.ts";

type Values = Readonly<Record<string, ParameterValue>>;

export interface TemplateParametersOptions {
  store: Pick<Store, "sandboxes">;
  templates?: Pick<Templates, "requireSecrets">;
}

/** The parameters of the templates that stored sandboxes were made from. */
export interface TemplateParameters {
  /** Throws REQUEST_INVALID for a sandbox that was made from none. */
  show(row: SandboxRow): SandboxParameters;
  /**
   * Counts from the next start on. Throws PARAMETER_IMMUTABLE, PARAMETER_INVALID, SECRET_NOT_FOUND, and TEMPLATE_FIXED for what was
   * asked for beside the template and would go beyond it; then nothing is changed.
   */
  set(row: SandboxRow, given: Values): Promise<SandboxParameters>;
}

export function createTemplateParameters(options: TemplateParametersOptions): TemplateParameters {
  const { store, templates } = options;
  return {
    show: (row) => showParameters(row, requirePart(row)),
    async set(row, given) {
      const part = requirePart(row);
      const { template, making } = part;
      const declared = making.template.content.parameters ?? {};
      const kept = { ...template.parameters, ...making.next };
      refuseFixed(declared, { given, kept });
      const values = answerParameters(declared, { given, kept });
      const resolved = resolveWith(part, values);
      applyTemplate({ template: resolved, content: making.template.content }, making.request);
      await templates?.requireSecrets(resolved, declared);
      const { next: _before, ...rest } = making;
      const next = Object.fromEntries(
        Object.entries(values).filter(([name, value]) => template.parameters[name] !== value),
      );
      const changed: TemplateMaking = Object.keys(next).length === 0 ? rest : { ...rest, next };
      // A start may have written the row since it was read.
      const { specification } = (await store.sandboxes.get(row.id)) ?? row;
      await store.sandboxes.update(row.id, {
        specification: { ...specification, making: changed },
      });
      return showParameters(row, { template, making: changed });
    },
  };
}

/**
 * What a stored sandbox is with the values that were set since it last started, made from the text that is kept with it.
 * What cannot change, its boundary, stays; the row itself when nothing was set.
 */
export async function renewParameters(
  options: DescriptionOptions,
  row: SandboxRow,
): Promise<StoredSpecification> {
  const { specification: before } = row;
  const { template, making } = before;
  if (template === undefined || making?.next === undefined) return before;
  const { next, ...rest } = making;
  const resolved = resolveWith({ template, making }, { ...template.parameters, ...next });
  const part = { template: resolved, making: rest };
  const { request } = making;
  const workspace = before.workspace?.path ?? null;
  const described = await describeSandbox(options, row.id, { request, workspace, part });
  const { workspace: place, clone, isolation, egress, placed, protectedPaths, layers } = before;
  return {
    ...described.specification,
    workspace: place,
    ...(clone === undefined ? {} : { clone }),
    isolation,
    ...(egress === undefined ? {} : { egress }),
    // What lies in the home is still to be taken out of it.
    ...(placed === undefined ? {} : { placed }),
    protectedPaths,
    layers,
  };
}

/** Answers that were set while the sandbox started count from the start after. */
export async function keepLaterAnswers(
  store: Pick<Store, "sandboxes">,
  { id, specification: { making: before } }: SandboxRow,
  renewed: StoredSpecification,
): Promise<StoredSpecification> {
  const next = (await store.sandboxes.get(id))?.specification.making?.next;
  const isKnown = JSON.stringify(next) === JSON.stringify(before?.next);
  if (next === undefined || isKnown || renewed.making === undefined) return renewed;
  return { ...renewed, making: { ...renewed.making, next } };
}

function resolveWith({ template, making }: TemplatePart, values: Values): TemplatePart["template"] {
  return resolveTemplate(making.template, { values, agent: template.agent });
}

function requirePart({ name, specification }: SandboxRow): TemplatePart {
  const { template, making } = specification;
  if (template !== undefined && making !== undefined) return { template, making };
  throw new CattlegridError("REQUEST_INVALID", `${name} was made from no template.`, {
    hint: "Parameters belong to a template: `cattlegrid run --template NAME`.",
  });
}

function showParameters(
  { name: sandbox }: SandboxRow,
  { template, making }: TemplatePart,
): SandboxParameters {
  const declared = Object.entries(making.template.content.parameters ?? {});
  return {
    sandbox,
    template: template.name,
    parameters: declared.map(([name, parameter]) => {
      const value = template.parameters[name];
      const next = making.next?.[name];
      return {
        ...showParameter(name, parameter),
        ...(value === undefined ? {} : { value }),
        ...(next === undefined ? {} : { next }),
      };
    }),
  };
}
