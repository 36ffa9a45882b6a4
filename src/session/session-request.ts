import type { AgentAdapter } from "../agent/agent.ts";
import { CattlegridError } from "../errors/error.ts";
import type { Sandbox } from "../protocol/sandbox.ts";
import type { SessionCreate } from "../protocol/session.ts";
import { requireKept } from "./sign-in/logins.ts";

/** Refuses what an agent cannot be asked for. Throws ENVIRONMENT_INVALID, AGENT_OPTION_UNAVAILABLE, AGENT_COMMAND_INVALID, REQUEST_INVALID. */
export function checkRequest(agent: AgentAdapter, request: SessionCreate): void {
  const { kind, environment = {}, turnOptions = {} } = request;
  // SECURITY: an environment may be shown and stored; a credential comes as a secret or not at all.
  const credential = agent.credentials.find((name) => environment[name] !== undefined);
  if (credential !== undefined) {
    throw new CattlegridError("ENVIRONMENT_INVALID", `${credential} is a credential.`, {
      hint: `Pass it on from your own environment with -e ${credential}.`,
    });
  }
  checkDirectory(agent, request);
  checkLogin(agent, request);
  if (Object.keys(turnOptions).length > 0 && agent.turns?.checkOptions === undefined) {
    const message = `${agent.title} has no engine, model or configuration to choose.`;
    throw new CattlegridError("AGENT_OPTION_UNAVAILABLE", message);
  }
  if (kind !== "turns") return;
  if (agent.turns === undefined) {
    const message = `${agent.title} takes no prompts one by one.`;
    throw new CattlegridError("AGENT_COMMAND_INVALID", message, {
      hint: `Use \`cattlegrid run ${agent.id}\`.`,
    });
  }
  if ((request.arguments ?? []).length > 0) {
    const message = "A session of turns takes prompts and no arguments.";
    throw new CattlegridError("REQUEST_INVALID", message);
  }
}

/** SECURITY: a sign-in that every sandbox gets is made where no agent was at work. */
export function checkLoginPlace(
  { login }: SessionCreate,
  { ephemeral, workspace, sessions }: Sandbox,
): void {
  const isUntouched = ephemeral && workspace === null && sessions.length === 0;
  if (login === undefined || isUntouched) return;
  const message = "A login for every sandbox needs a new ephemeral sandbox without a workspace.";
  throw new CattlegridError("REQUEST_INVALID", message);
}

/** What the sandbox's template says of its people's sign-in holds, for an agent that can be told. */
export function signInWhere(
  request: SessionCreate,
  agent: AgentAdapter,
  { template }: Pick<Sandbox, "template">,
): SessionCreate {
  const directory = template?.identityDirectory;
  if (directory === undefined || agent.signIn?.loginToDirectory === undefined) return request;
  return { ...request, identityDirectory: directory };
}

function checkLogin(agent: AgentAdapter, { login, kind }: SessionCreate): void {
  if (login === undefined) return;
  requireKept(agent);
  if (kind === "interactive") return;
  throw new CattlegridError("REQUEST_INVALID", "A login takes no prompts.");
}

function checkDirectory(agent: AgentAdapter, { identityDirectory }: SessionCreate): void {
  if (identityDirectory === undefined || agent.signIn?.loginToDirectory !== undefined) return;
  const message = `${agent.title} has no sign-in through an organisation's directory.`;
  throw new CattlegridError("AGENT_OPTION_UNAVAILABLE", message);
}
