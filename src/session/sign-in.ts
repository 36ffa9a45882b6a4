import type { AgentSignIn } from "../agent/agent.ts";
import { CattlegridError } from "../errors/error.ts";
import { runCommand } from "./command.ts";
import type { SessionContext } from "./context.ts";
import { runInTerminal } from "./terminal-run.ts";

const LOGIN_TIMEOUT_MS = 15 * 60 * 1000;
const WHOAMI_TIMEOUT_MS = 60_000;

export interface SignInOptions {
  /** Called before a login begins. */
  onLoginNeeded(): Promise<void>;
}

/**
 * Makes sure that the agent is signed in. Whether it is, only the agent itself can say; how the login ended proves
 * nothing. Throws AGENT_NOT_SIGNED_IN without a terminal to log in with, AGENT_LOGIN_FAILED, TIMED_OUT.
 */
export async function signIn(
  context: SessionContext,
  agentSignIn: AgentSignIn,
  { onLoginNeeded }: SignInOptions,
): Promise<void> {
  const { agent, request, report } = context;
  let account = await askAccount(context, agentSignIn);
  if (account === undefined) {
    if (request.terminal === undefined) throw notSignedIn(context);
    await onLoginNeeded();
    await login(context, agentSignIn);
    account = await askAccount(context, agentSignIn);
  }
  if (account !== undefined) return report({ type: "signed-in", account });
  const message = `The login was not completed: ${agent.title} says that nobody is signed in.`;
  throw new CattlegridError("AGENT_LOGIN_FAILED", message);
}

async function askAccount(
  { running, request, signal, agent }: SessionContext,
  { whoami, readAccount }: AgentSignIn,
): Promise<string | undefined> {
  const deadline = AbortSignal.timeout(WHOAMI_TIMEOUT_MS);
  const environment = request.environment ?? {};
  try {
    const result = await runCommand(running, {
      request: { argv: whoami, environment },
      signal: AbortSignal.any([signal, deadline]),
    });
    return readAccount(result);
  } catch (error) {
    if (!deadline.aborted || signal.aborted) throw error;
    const message = `${agent.title} did not say within a minute whether somebody is signed in.`;
    throw new CattlegridError("TIMED_OUT", message, {
      hint: "See `cattlegrid logs NAME --egress` for a host that is refused.",
    });
  }
}

async function login(context: SessionContext, agentSignIn: AgentSignIn): Promise<void> {
  const { request, report, agent } = context;
  const watcher = agentSignIn.watchLogin();
  const { identityDirectory: directory } = request;
  const organisation =
    directory === undefined ? undefined : agentSignIn.loginToDirectory?.(directory);
  const ending = await runInTerminal(context, {
    purpose: "login",
    request: {
      argv: organisation ?? agentSignIn.login,
      environment: { ...request.environment, ...agentSignIn.environment },
      ...(request.terminal === undefined ? {} : { terminal: request.terminal }),
    },
    timeoutMs: request.loginTimeoutMs ?? LOGIN_TIMEOUT_MS,
    onOutput(bytes) {
      const found = watcher.push(bytes);
      if (found !== undefined) report({ type: "login-code", ...found });
    },
  });
  if (ending.kind === "timed-out") {
    throw new CattlegridError("TIMED_OUT", `Nobody completed the login to ${agent.title} in time.`);
  }
  if (ending.kind === "lost") {
    throw new CattlegridError("SANDBOX_LOST", `The sandbox was lost: ${ending.reason}.`);
  }
}

function notSignedIn({ agent }: SessionContext): CattlegridError {
  const [credential] = agent.credentials;
  const key = credential === undefined ? "" : `, or pass a key with -e ${credential}`;
  return new CattlegridError("AGENT_NOT_SIGNED_IN", `${agent.title} is not signed in.`, {
    hint: `Run \`cattlegrid run ${agent.id}\` in a terminal and sign in there${key}.`,
  });
}
