import { CattlegridError } from "../../errors/error.ts";
import type { AgentSummary } from "../../protocol/agent.ts";
import type { SecretBind } from "../../protocol/secret.ts";
import { usage } from "../arguments.ts";

export interface BindingWish {
  name: string;
  /** `--for`: agents. */
  agents: readonly string[];
  /** `--as`. */
  variable: string | undefined;
}

type Agent = Pick<AgentSummary, "id" | "credentials">;

/** What a wish comes to; empty when it names nothing and no agent takes a variable of that name. Pure. */
export function chooseBindings(
  { name, agents: wanted, variable }: BindingWish,
  known: readonly Agent[],
): readonly SecretBind[] {
  const declares = (each: string): boolean =>
    known.some(({ credentials }) => credentials.includes(each));
  if (wanted.length > 0) {
    return wanted.map((id) => ({
      agent: id,
      variable: variable ?? guessVariable(name, id, known),
    }));
  }
  if (variable === undefined) return declares(name) ? [{ variable: name }] : [];
  if (declares(variable)) return [{ variable }];
  throw usage("secret", `No agent takes ${variable} by itself; say which is to, with --for AGENT.`);
}

/** The agent's own variable of that name, or the only one that it has. */
function guessVariable(name: string, id: string, known: readonly Agent[]): string {
  const agent = known.find((each) => each.id === id);
  if (agent === undefined) {
    throw new CattlegridError("AGENT_UNKNOWN", `There is no agent ${id}.`, {
      hint: `There are ${known.map((each) => each.id).join(", ")}.`,
    });
  }
  const { credentials } = agent;
  const [only] = credentials;
  if (credentials.includes(name)) return name;
  if (only !== undefined && credentials.length === 1) return only;
  const choice = credentials.length === 0 ? "" : `, such as ${credentials.join(" or ")}`;
  throw usage("secret", `Say in which variable ${id} is to have it, with --as VARIABLE${choice}.`);
}
