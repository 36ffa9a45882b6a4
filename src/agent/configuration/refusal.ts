import { CattlegridError } from "../../errors/error.ts";

/** What a template asks of an agent that the agent cannot be told. `what` goes on from "cannot". */
export function settingUnavailable(
  title: string,
  what: string,
  { hint }: { hint: string },
): CattlegridError {
  return new CattlegridError("AGENT_SETTING_UNAVAILABLE", `${title} cannot ${what}.`, { hint });
}

/** SECURITY: what the template says to the agent by a variable, no session and no sandbox says otherwise. Throws TEMPLATE_FIXED. */
export function refuseVariables(
  given: Readonly<Record<string, string>>,
  said: Readonly<Record<string, string>> = {},
): void {
  const other = Object.keys(given).find(
    (name) => Object.hasOwn(said, name) && given[name] !== said[name],
  );
  if (other === undefined) return;
  throw new CattlegridError("TEMPLATE_FIXED", `The template says otherwise than ${other}.`);
}
