import { CattlegridError } from "../../errors/error.ts";
import { readMirrors } from "../../client/mirrors.ts";
import type { Sandbox, SandboxCreate } from "../../protocol/sandbox.ts";
import type { Session, SessionCreate } from "../../protocol/session.ts";
import { readAgent } from "../agent-choice.ts";
import { parseChoice } from "../creation/amount.ts";
import { type Caller, terminalEnvironment, terminalSize, wantsTerminal } from "../caller.ts";
import { describeLogin } from "../login-request.ts";
import { Lease } from "../lease.ts";
import { ensureRunning } from "../creation/opening.ts";
import { giveSettings } from "../creation/provider-settings.ts";
import { SessionView } from "../chat/session-view.ts";
import type { Settings } from "../settings.ts";
import type { VerbContext } from "../verb.ts";

const ISOLATIONS = ["namespaces", "container", "gvisor", "microvm", "remote"] as const;

export interface DeviceLogin {
  agent: string;
  profile: string;
  flags: Parameters<typeof describeLogin>[1] & {
    region: readonly string[];
    "install-timeout": string | undefined;
  };
  settings: Settings;
}

/**
 * Signs in inside a sandbox that is made for it alone: no workspace, no agent at work, the agent's hosts and no others. It
 * goes with this command, however that ends; the sign-in stays in the vault.
 */
export async function signInOnce(login: DeviceLogin, context: VerbContext): Promise<number> {
  const { api, caller } = context;
  const { flags, settings } = login;
  const request = await describeSandbox(login, caller);
  await giveSettings(api, request.provider, { environment: caller.environment, settings });
  const made = await api.post<Sandbox>("/v1/sandboxes", request);
  await using _lease = await Lease.take(api, made.id);
  const start = { settings, installTimeout: flags["install-timeout"] };
  const sandbox = await ensureRunning(made, start, context);
  const hasTerminal = wantsTerminal(caller, undefined);
  const wanted: SessionCreate = {
    kind: "interactive",
    leased: true,
    login: { profile: login.profile },
    ...(hasTerminal
      ? { terminal: terminalSize(caller), environment: terminalEnvironment(caller) }
      : {}),
    ...describeLogin("login", flags, settings),
  };
  const session = await api.post<Session>(`/v1/sandboxes/${sandbox.id}/sessions`, wanted);
  using view = new SessionView({ ...context, session, hasTerminal });
  const outcome = await view.follow();
  if (outcome.kind === "ended") return outcome.exitCode;
  throw new CattlegridError("INTERNAL", "A login was left, which it cannot be.");
}

async function describeSandbox(
  { agent, flags, settings }: DeviceLogin,
  caller: Caller,
): Promise<SandboxCreate> {
  const mirrors = await readMirrors(caller, settings);
  const regions = flags.region.length > 0 ? flags.region : settings.regions;
  const { provider, isolation } = settings.flags;
  return {
    ...readAgent(agent),
    workspace: null,
    ephemeral: true,
    ...(provider === undefined ? {} : { provider }),
    ...(isolation === undefined
      ? {}
      : { isolation: parseChoice(isolation, "--isolation", ISOLATIONS) }),
    ...(regions.length === 0 ? {} : { regions: [...regions] }),
    ...(mirrors === undefined ? {} : { mirrors }),
  };
}
