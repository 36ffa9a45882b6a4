import type { AgentAdapter, AgentSignIn, KeptSignIn } from "../../agent/agent.ts";
import { hostsIn } from "../../agent/regions.ts";
import type { SignInFiles } from "../../login/bundle.ts";
import { readSignIn, writeSignIn } from "../../login/placement.ts";
import type { SandboxProvider } from "../../sandbox/provider.ts";
import type { ThrowAwayOptions, ThrowAwaySandbox } from "../../sandbox/life/throw-away.ts";
import { runCommand } from "../command.ts";

const WHOAMI_TIMEOUT_MS = 60_000;

/** In what kind of sandbox a sign-in is looked at: that of whoever needs it. */
export interface CheckingPlace {
  provider: SandboxProvider;
  isolation?: ThrowAwayOptions["isolation"];
  mirrors: ThrowAwayOptions["mirrors"];
  layers: readonly string[];
  regions?: readonly string[] | undefined;
}

export interface CheckedSignIn {
  /** Undefined: the agent says that nobody is signed in. */
  account: string | undefined;
  /** As the agent left them: it may have renewed what they hold. */
  files: SignInFiles;
}

export interface SignInCheck {
  agent: AgentAdapter & { signIn: AgentSignIn };
  kept: KeptSignIn;
  files: SignInFiles;
  place: CheckingPlace;
  signal: AbortSignal;
}

/**
 * Asks the agent who is signed in with these files. SECURITY: in a sandbox of its own that nothing of a workspace and
 * no agent at work was ever in: what renews a sign-in is in no other.
 */
export async function checkSignIn(
  createThrowAway: (options: ThrowAwayOptions) => Promise<ThrowAwaySandbox>,
  { agent, kept, files, place, signal }: SignInCheck,
): Promise<CheckedSignIn> {
  const { provider, isolation, mirrors, layers, regions } = place;
  const hosts = hostsIn(agent, regions);
  const box = await createThrowAway({
    agent: { ...agent, hosts },
    provider,
    ...(isolation === undefined ? {} : { isolation }),
    mirrors,
    layers,
    signal,
  });
  try {
    const target = { running: box.running, kept, signal };
    await writeSignIn(target, files);
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(WHOAMI_TIMEOUT_MS)]);
    const request = { argv: agent.signIn.whoami };
    const account = agent.signIn.readAccount(
      await runCommand(box.running, { request, signal: deadline }),
    );
    return { account, files: await readSignIn(target) };
  } finally {
    await box.remove();
  }
}
