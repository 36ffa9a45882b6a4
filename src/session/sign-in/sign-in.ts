import type { AgentSignIn } from "../../agent/agent.ts";
import { CattlegridError } from "../../errors/error.ts";
import { runCommand } from "../command.ts";
import { DEFAULT_PROFILE } from "../../login/profile-name.ts";
import type { SessionContext } from "../context.ts";
import { runInTerminal } from "../terminal-run.ts";

const LOGIN_TIMEOUT_MS = 15 * 60 * 1000;
const WHOAMI_TIMEOUT_MS = 60_000;

export interface SignInOptions {
  /** Called before a login begins. */
  onLoginNeeded(): Promise<void>;
}

/**
 * Makes sure that the agent is signed in, by the sandbox's own sign-in, a copy of its login profile's, or a login. Whether it
 * is, only the agent itself can say; how the login ended proves nothing. Throws AGENT_NOT_SIGNED_IN without a terminal to log in
 * with, AGENT_LOGIN_FAILED, TIMED_OUT.
 */
export async function signIn(
  context: SessionContext,
  agentSignIn: AgentSignIn,
  { onLoginNeeded }: SignInOptions,
): Promise<void> {
  const { request, report, signIns } = context;
  const isLogin = request.login !== undefined;
  if (!isLogin) await signIns?.refresh(context);
  let account = await askAccount(context, agentSignIn);
  if (account === undefined && !isLogin && (await signIns?.lend(context)) === true) {
    account = await askAccount(context, agentSignIn);
  }
  if (account !== undefined) return report({ type: "signed-in", account });
  if (request.terminal === undefined && !isLogin) throw await notSignedIn(context);
  await onLoginNeeded();
  await login(context, agentSignIn);
  account = await askAccount(context, agentSignIn);
  if (account === undefined) throw notCompleted(context);
  report({ type: "signed-in", account });
  await keep(context, account);
}

/** Of an agent that cannot say who is signed in: gives it a copy of its login profile's sign-in, if there is one. */
export async function lendSignIn(context: SessionContext): Promise<void> {
  const { signIns } = context;
  if ((await signIns?.refresh(context)) === true) return;
  await signIns?.lend(context);
}

/** The login of an agent that cannot say whether it is signed in: that it wrote the sign-in's file has to do. */
export async function signInUnasked(
  context: SessionContext,
  argv: readonly string[],
): Promise<void> {
  const { request, agent } = context;
  await runLogin(context, { argv, environment: request.environment ?? {} });
  try {
    await keep(context, null);
  } catch (error) {
    if (!CattlegridError.is(error, "SIGN_IN_INVALID")) throw error;
    throw notCompleted(context, `${agent.title} has written no sign-in`);
  }
}

async function keep(context: SessionContext, account: string | null): Promise<void> {
  const { signIns, request, report, agent } = context;
  if (signIns === undefined || agent.keptSignIn === undefined) return;
  const profile = request.login?.profile ?? (await signIns.keepsAs(context));
  if (profile === undefined) {
    const text = `This sign-in stays in this sandbox; \`cattlegrid login ${agent.id}\` makes one for every sandbox.`;
    return report({ type: "notice", text });
  }
  await signIns.keep(context, account, profile);
  const text = `Kept as the login profile ${profile}: every new sandbox of ${agent.id} has this sign-in.`;
  report({ type: "notice", text });
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
  const { request, report } = context;
  const watcher = agentSignIn.watchLogin();
  const { identityDirectory: directory } = request;
  const organisation =
    directory === undefined ? undefined : agentSignIn.loginToDirectory?.(directory);
  await runLogin(context, {
    argv: organisation ?? agentSignIn.login,
    environment: { ...request.environment, ...agentSignIn.environment },
    onOutput(bytes) {
      const found = watcher.push(bytes);
      if (found !== undefined) report({ type: "login-code", ...found });
    },
  });
}

interface LoginRun {
  argv: readonly string[];
  environment: Readonly<Record<string, string>>;
  onOutput?(bytes: Buffer): void;
}

async function runLogin(
  context: SessionContext,
  { argv, environment, onOutput }: LoginRun,
): Promise<void> {
  const { request, agent } = context;
  const { terminal } = request;
  const ending = await runInTerminal(context, {
    purpose: "login",
    request: { argv, environment, ...(terminal === undefined ? {} : { terminal }) },
    timeoutMs: request.loginTimeoutMs ?? LOGIN_TIMEOUT_MS,
    ...(onOutput === undefined ? {} : { onOutput }),
  });
  if (ending.kind === "timed-out") {
    throw new CattlegridError("TIMED_OUT", `Nobody completed the login to ${agent.title} in time.`);
  }
  if (ending.kind === "lost") {
    throw new CattlegridError("SANDBOX_LOST", `The sandbox was lost: ${ending.reason}.`);
  }
}

function notCompleted(
  { agent }: SessionContext,
  why = `${agent.title} says that nobody is signed in`,
): CattlegridError {
  return new CattlegridError("AGENT_LOGIN_FAILED", `The login was not completed: ${why}.`);
}

async function notSignedIn(context: SessionContext): Promise<CattlegridError> {
  const { agent, signIns } = context;
  const [credential] = agent.credentials;
  const profile = (await signIns?.profileOf(context)) ?? DEFAULT_PROFILE;
  const flag = profile === DEFAULT_PROFILE ? "" : ` --profile ${profile}`;
  const key = credential === undefined ? "" : `, or pass a key with -e ${credential}`;
  return new CattlegridError("AGENT_NOT_SIGNED_IN", `${agent.title} is not signed in.`, {
    hint: `Sign in with \`cattlegrid login ${agent.id}${flag}\` in a terminal${key}.`,
  });
}
