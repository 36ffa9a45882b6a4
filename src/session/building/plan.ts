import { CattlegridError } from "../../errors/error.ts";
import type { ResolvedTemplate } from "../../protocol/template.ts";
import { planPackages } from "./packages.ts";
import { planClone } from "./repository.ts";
import type { BuildStep } from "./step.ts";

/** What the engine takes as a parameter of a step. */
const PARAMETER = "PARAM_";

/** What has to be done to make a template's layers, in order. Pure. Throws TEMPLATE_INVALID. */
export function planBuild(template: ResolvedTemplate): readonly BuildStep[] {
  const { repositories, setup } = template;
  return [
    ...planPackages(template),
    ...repositories.map(planClone),
    ...setup.map((step) => planSetup(template, step)),
  ];
}

function planSetup(
  { name: template, base }: ResolvedTemplate,
  { name, run, root, environment, inputs, timeoutMs }: ResolvedTemplate["setup"][number],
): BuildStep {
  if (root && base === "host") {
    const message = `Step "${name}" of template ${template} wants to run as root on base host.`;
    throw new CattlegridError("TEMPLATE_INVALID", message, {
      hint: "The host's files cannot be changed. Name a base of its own (`directory`, `tar` or `image`), or leave out `root`.",
    });
  }
  return {
    name,
    argv: ["sh", "-e", "-c", run, "setup"],
    environment: readVariables(run, environment),
    root,
    timeoutMs,
    inputs,
  };
}

/**
 * A step gets the parameters that its text names and no others, so that the answer to a question that it does not ask
 * makes no other layer.
 */
function readVariables(
  run: string,
  environment: Readonly<Record<string, string>>,
): Record<string, string> {
  const words = new Set(run.match(/[A-Za-z0-9_]+/g));
  const kept = Object.entries(environment).filter(
    ([name]) => !name.startsWith(PARAMETER) || words.has(name),
  );
  return Object.fromEntries(kept);
}
