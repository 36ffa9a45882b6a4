import { CattlegridError } from "../../errors/error.ts";
import type { Sandbox, SandboxCreate } from "../../protocol/sandbox.ts";
import type { ParameterValue } from "../../protocol/template-choice.ts";
import type { TemplateDetail } from "../../protocol/template-list.ts";
import { canAsk, tell } from "../caller.ts";
import type { VerbContext } from "../verb.ts";
import { agreeToImport, withoutDenied } from "./import-consent.ts";
import { approveProject, PROJECT_TEMPLATE, templatePath } from "./approval.ts";
import { askForParameters } from "./questions.ts";

/** Makes what is asked for; what a template wants to know before is asked at a terminal, and refused elsewhere. */
export async function postTemplated(
  request: SandboxCreate,
  { asks, ...context }: VerbContext & { asks: boolean },
): Promise<Sandbox> {
  const mayAsk = asks && canAsk(context.caller);
  const asked = new Set<string>();
  let wanted = request;
  for (;;) {
    try {
      return await context.api.post<Sandbox>("/v1/sandboxes", wanted);
    } catch (error) {
      if (!CattlegridError.is(error) || wanted.template === undefined) throw error;
      const decided = await decideImport(wanted, error, { ...context, asks });
      if (decided === undefined && !mayAsk) throw error;
      wanted = decided ?? (await mend(wanted, error, { asked, context }));
    }
  }
}

/** Undefined for a refusal that is not about what is taken from a person's own configuration. */
async function decideImport(
  request: SandboxCreate,
  error: CattlegridError,
  { asks, caller }: VerbContext & { asks: boolean },
): Promise<SandboxCreate | undefined> {
  const { imported } = request;
  if (error.code === "IMPORT_UNDECIDED" && typeof imported === "string") {
    const consent = { given: imported === "require", asks };
    return { ...request, imported: await agreeToImport(error, consent, caller) };
  }
  if (error.code !== "MCP_HOST_DENIED" || typeof imported !== "object") return undefined;
  const rest = withoutDenied(imported, error);
  if (rest === undefined) return undefined;
  tell(caller, `cattlegrid: left out: ${error.message}`);
  return { ...request, imported: rest };
}

interface Mending {
  /** Names of parameters that the person was asked for. */
  asked: Set<string>;
  context: VerbContext;
}

/** The request with what a person said about the refusal; throws the refusal that nobody can say anything about. */
async function mend(
  request: SandboxCreate,
  error: CattlegridError,
  { asked, context }: Mending,
): Promise<SandboxCreate> {
  const { template, workspace } = request;
  if (template === undefined) throw error;
  const { code, details, message, hint } = error;
  if (code === "TEMPLATE_UNTRUSTED" && typeof workspace === "string") {
    await approveProject({ workspace, asks: true }, context);
    return request;
  }
  const names = namesOf(code, details, asked);
  if (names.length === 0) throw error;
  if (code === "PARAMETER_INVALID") tell(context.caller, `cattlegrid: ${message} ${hint}`);
  const answers = await answer(template.name, names, { request, context });
  for (const name of names) asked.add(name);
  const parameters: Record<string, ParameterValue> = { ...template.parameters, ...answers };
  return { ...request, template: { ...template, parameters } };
}

/** What a person answered wrong is asked once more; what a command line said wrong is an error. */
function namesOf(
  code: string,
  details: Readonly<Record<string, unknown>>,
  asked: ReadonlySet<string>,
): readonly string[] {
  const { parameters, parameter } = details;
  if (code === "PARAMETER_MISSING" && Array.isArray(parameters)) return parameters.map(String);
  const isOurs = code === "PARAMETER_INVALID" && typeof parameter === "string";
  return isOurs && asked.has(parameter) ? [parameter] : [];
}

async function answer(
  name: string,
  names: readonly string[],
  { request, context }: { request: SandboxCreate; context: VerbContext },
): Promise<Record<string, ParameterValue>> {
  const workspace = name === PROJECT_TEMPLATE ? request.workspace : undefined;
  const { summary } = await context.api.get<TemplateDetail>(templatePath(name, workspace));
  const wanted = summary.parameters.filter((parameter) => names.includes(parameter.name));
  return askForParameters(wanted, context);
}
