import { CattlegridError } from "../../errors/error.ts";
import type { LoginProfile } from "../../protocol/login.ts";
import type { SecretList } from "../../protocol/secret.ts";
import type { ParameterValue } from "../../protocol/template-choice.ts";
import type { ParameterView } from "../../protocol/template-list.ts";
import { tell } from "../caller.ts";
import { makeOneLine } from "../output/error-text.ts";
import type { VerbContext } from "../verb.ts";

/** Asks a person at the terminal for the values of parameters, one after the other. Throws INTERRUPTED. */
export async function askForParameters(
  parameters: readonly ParameterView[],
  context: VerbContext,
): Promise<Record<string, ParameterValue>> {
  const answers: Record<string, ParameterValue> = {};
  for (const parameter of parameters) {
    if (parameter.description !== undefined)
      tell(context.caller, makeOneLine(parameter.description));
    answers[parameter.name] = await ask(parameter, context);
  }
  return answers;
}

async function ask(parameter: ParameterView, context: VerbContext): Promise<ParameterValue> {
  switch (parameter.type) {
    case "boolean":
      return askYesOrNo(parameter, context);
    case "choice":
      return pick(parameter, parameter.choices ?? [], context);
    case "secret":
      return pick(parameter, await listSecrets(context), context);
    case "login":
      return pick(parameter, await listProfiles(context), context);
    case "string":
    case "number":
      return askForText(parameter, context);
  }
}

async function askForText(
  { title, type, min, max, pattern }: ParameterView,
  { caller }: VerbContext,
): Promise<ParameterValue> {
  const { text } = await import("@clack/prompts");
  const isNumber = type === "number";
  const range = [
    min === undefined ? "" : `at least ${min}`,
    max === undefined ? "" : `at most ${max}`,
  ];
  const hint = isNumber ? range.filter((each) => each !== "").join(", ") : pattern;
  const answer = await text({
    message: makeOneLine(title),
    ...(hint ? { placeholder: makeOneLine(hint) } : {}),
    validate(value = "") {
      if (!isNumber) return undefined;
      const number = value.trim() === "" ? NaN : Number(value);
      if (Number.isNaN(number)) return "Give a number.";
      const isOutside = number < (min ?? -Infinity) || number > (max ?? Infinity);
      return isOutside ? `Give a number: ${hint ?? ""}.` : undefined;
    },
    input: caller.input,
    output: caller.errors,
  });
  return requireAnswer<string>(answer);
}

async function askYesOrNo({ title }: ParameterView, { caller }: VerbContext): Promise<boolean> {
  const { confirm } = await import("@clack/prompts");
  const { input, errors: output } = caller;
  return requireAnswer<boolean>(await confirm({ message: makeOneLine(title), input, output }));
}

async function pick(
  { name, title, type }: ParameterView,
  choices: readonly { value: string; title: string }[],
  { caller }: VerbContext,
): Promise<string> {
  if (choices.length === 0) {
    const isSecret = type === "secret";
    const message = `The parameter ${name} names a ${isSecret ? "secret" : "login profile"}, and there is none.`;
    throw new CattlegridError("PARAMETER_MISSING", message, {
      hint: isSecret
        ? "Keep one with `cattlegrid secret set NAME`."
        : "Sign in with `cattlegrid login AGENT`.",
    });
  }
  const { select } = await import("@clack/prompts");
  const options = choices.map((choice) => ({
    value: choice.value,
    label: makeOneLine(choice.title),
  }));
  const { input, errors: output } = caller;
  return requireAnswer<string>(
    await select({ message: makeOneLine(title), options, input, output }),
  );
}

function requireAnswer<T>(answer: T | symbol): T {
  if (typeof answer !== "symbol") return answer;
  throw new CattlegridError("INTERRUPTED", "The question was left unanswered.");
}

/** SECURITY: names alone; no value of a secret is ever asked for here. */
async function listSecrets({ api }: VerbContext): Promise<{ value: string; title: string }[]> {
  const { secrets } = await api.get<SecretList>("/v1/secrets");
  return secrets.map(({ name }) => ({ value: name, title: name }));
}

async function listProfiles({ api }: VerbContext): Promise<{ value: string; title: string }[]> {
  const { profiles } = await api.get<{ profiles: readonly LoginProfile[] }>("/v1/logins");
  return profiles.map(({ agent, profile, account }) => ({
    value: profile,
    title: `${profile} (${account ?? agent})`,
  }));
}
