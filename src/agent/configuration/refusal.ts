import { CattlegridError } from "../../errors/error.ts";

/** What a template asks of an agent that the agent cannot be told. `what` goes on from "cannot". */
export function settingUnavailable(
  title: string,
  what: string,
  { hint }: { hint: string },
): CattlegridError {
  return new CattlegridError("AGENT_SETTING_UNAVAILABLE", `${title} cannot ${what}.`, { hint });
}
