import { asCattlegridError, CattlegridError } from "../../errors/error.ts";
import type { ResolvedTemplate } from "../../protocol/template.ts";
import type { InstallInside } from "../../sandbox/life/starting.ts";
import { runCommand } from "../command.ts";
import { installInside } from "../installation/inside-installation.ts";
import { withLog } from "./build.ts";
import { openBuildLog } from "./build-log.ts";
import { planBuild } from "./plan.ts";
import { runStep } from "./run-step.ts";
import type { BuildStep } from "./step.ts";

/** What tells that all steps were done. An agent that removes it has them done again, in its own sandbox. */
const MARK = ".local/state/cattlegrid/template-built";
const HAS_MARK = `[ -e "$HOME/${MARK}" ]`;
const LEAVE_MARK = `mkdir -p "$(dirname "$HOME/${MARK}")" && : >"$HOME/${MARK}"`;

/** The agent, and on top of it what a template says: what is a layer elsewhere. */
export function createInstallInside(logDirectory: string): InstallInside {
  const buildInside = createBuildInside(logDirectory);
  return async (...given) => {
    await installInside(...given);
    await buildInside(...given);
  };
}

/**
 * Does the steps of a template in the sandbox itself, where homes stand on no layers: once, before anything of the user's
 * is in it. SECURITY: what they reach is what the sandbox's own policy lets out, and they get no secret and no sign-in.
 */
function createBuildInside(logDirectory: string): InstallInside {
  return async (_agent, running, { template, signal, report }) => {
    const steps = template === undefined ? [] : planBuild(template);
    if (template === undefined || steps.length === 0) return;
    const isBuilt = { request: { argv: ["sh", "-c", HAS_MARK] }, signal };
    if ((await runCommand(running, isBuilt)).exitCode === 0) return;
    const { name } = template;
    const text = `Setting up template ${name} in the sandbox: ${steps.length} steps.`;
    const log = await openBuildLog(logDirectory, name);
    report({ type: "build-start", template: name, steps: steps.length, cached: 0, text });
    log.say(text);
    try {
      for (const [index, step] of steps.entries()) {
        const number = index + 1;
        const told = `Step ${number} of ${steps.length}: ${step.name}`;
        report({ type: "build-step", number, steps: steps.length, name: step.name, text: told });
        log.say(told);
        await runStep({ step: atHome(step), box: { running }, log, signal, report });
      }
      const leave = { request: { argv: ["sh", "-c", LEAVE_MARK] }, signal };
      await runCommand(running, leave);
    } catch (error) {
      throw withLog(explainPackages(error, template), log);
    } finally {
      await log.close();
    }
    const done = `Set up template ${name}.`;
    report({ type: "build-end", template: name, log: log.path, layers: [], text: done });
  };
}

/** In the workspace, where programs begin otherwise, a step has nothing to do. */
function atHome(step: BuildStep): BuildStep {
  return { ...step, argv: ["sh", "-c", 'cd && exec "$@"', "step", ...step.argv] };
}

/** No base of the template's is in the sandbox, and nothing of this machine. */
function explainPackages(error: unknown, { name }: ResolvedTemplate): CattlegridError {
  const failure = asCattlegridError(error);
  if (!CattlegridError.is(failure, "PACKAGES_MISSING")) return failure;
  const { missing } = failure.details;
  const listed = Array.isArray(missing) ? missing.join(", ") : "packages";
  const message = `The sandbox does not have ${listed}, which template ${name} needs.`;
  return new CattlegridError("PACKAGES_MISSING", message, {
    hint: "Have the provider make its sandboxes from a snapshot or an image that has them, as its page says.",
    details: failure.details,
    cause: error,
  });
}
