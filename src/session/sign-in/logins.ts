import type { AgentAdapter, AgentSignIn, KeptSignIn } from "../../agent/agent.ts";
import type { AgentRegistry } from "../../agent/registry.ts";
import { CattlegridError } from "../../errors/error.ts";
import { readBundle, writeBundle } from "../../login/bundle.ts";
import { entryNameOf, type ProfilePlace } from "../../login/profile-name.ts";
import type { LoginProfiles } from "../../login/profiles.ts";
import { takeApart } from "../../login/sign-in-parts.ts";
import { decodeFiles } from "../../login/stored-sign-in.ts";
import type { Logger } from "../../platform/logger.ts";
import type { LoginImport, LoginProfile } from "../../protocol/login.ts";
import type { RunningSandbox, SandboxProvider } from "../../sandbox/provider.ts";
import { findAgent, findProvider } from "../../sandbox/registry.ts";
import type { LayersFor } from "../../sandbox/life/starting.ts";
import type { ThrowAwayOptions, ThrowAwaySandbox } from "../../sandbox/life/throw-away.ts";
import type { Store } from "../../store/store.ts";
import type { LentSignIn } from "../../store/sign-in-rows.ts";
import { createSandboxSignIns, type SandboxSignIns, type SignInUse } from "./sandbox-sign-ins.ts";
import { checkSignIn } from "./sign-in-check.ts";
import { RenewalWatch } from "./renewal-watch.ts";

const RENEWAL_TIMEOUT_MS = 5 * 60_000;

export interface LoginsOptions {
  profiles: LoginProfiles;
  store: Pick<Store, "sandboxes" | "sessions" | "lentSignIns">;
  agents: AgentRegistry;
  /** The first is the default. */
  providers: readonly SandboxProvider[];
  logger: Logger;
  now(): Date;
  layersFor: LayersFor;
  createThrowAway(options: ThrowAwayOptions): Promise<ThrowAwaySandbox>;
  /** Undefined for one that does not run. */
  running(sandboxId: string): RunningSandbox | undefined;
}

/** Sign-ins that are kept for every sandbox of their owner. */
export interface Logins extends Disposable {
  list(owner: string, signal: AbortSignal): Promise<readonly LoginProfile[]>;
  /**
   * Throws BUNDLE_INVALID, BUNDLE_TOO_LARGE, SIGN_IN_INVALID, and SIGN_IN_EXPIRED when the agent says that nobody is
   * signed in with it; what was kept before is then untouched.
   */
  importBundle(
    place: ProfilePlace,
    request: LoginImport,
    signal: AbortSignal,
  ): Promise<LoginProfile>;
  /** Throws LOGIN_PROFILE_NOT_FOUND. */
  exportBundle(place: ProfilePlace, signal: AbortSignal): Promise<Buffer>;
  /** Throws LOGIN_PROFILE_NOT_FOUND. */
  remove(place: ProfilePlace, signal: AbortSignal): Promise<void>;
  /** What sessions need of it. */
  readonly inSandboxes: SandboxSignIns;
}

export function createLogins(options: LoginsOptions): Logins {
  return new EngineLogins(options);
}

class EngineLogins implements Logins {
  readonly inSandboxes: SandboxSignIns;
  readonly #options: LoginsOptions;
  readonly #watch: RenewalWatch;

  constructor(options: LoginsOptions) {
    this.#options = options;
    this.#watch = new RenewalWatch({ ...options, renew: (place) => this.#renewWhereUsed(place) });
    this.inSandboxes = createSandboxSignIns({
      ...options,
      onLent: (place, stored) => this.#watch.expect(place, options.profiles.renewsAt(stored)),
    });
  }

  async list(owner: string, signal: AbortSignal): Promise<readonly LoginProfile[]> {
    const places = await this.#options.profiles.places(owner);
    return Promise.all(places.map((place) => this.#show(place, signal)));
  }

  async importBundle(
    place: ProfilePlace,
    request: LoginImport,
    signal: AbortSignal,
  ): Promise<LoginProfile> {
    // What is wrong with a name is told before anything is read.
    entryNameOf(place);
    const agent = findAgent(this.#options.agents, place.agent);
    const kept = requireKept(agent);
    const bundle = Buffer.from(request.bundle, "base64");
    const files = await readBundle(bundle, kept.files);
    // Judged before anything runs, and again as the agent leaves it.
    await takeApart(kept, files);
    const checked = await this.#check({ agent, kept, files, place, request, signal });
    const parts = await takeApart(kept, checked.files);
    const { profiles } = this.#options;
    const { account } = checked;
    await profiles.keep(place, { parts, account, regions: request.regions }, signal);
    return this.#show(place, signal);
  }

  async exportBundle(place: ProfilePlace, signal: AbortSignal): Promise<Buffer> {
    const stored = await this.#options.profiles.get(place, signal);
    if (stored === undefined) throw unknown(place);
    return writeBundle(decodeFiles(stored.whole));
  }

  async remove(place: ProfilePlace, signal: AbortSignal): Promise<void> {
    this.#watch.expect(place, undefined);
    if (!(await this.#options.profiles.remove(place, signal))) throw unknown(place);
    for (const use of await this.#findUses(place, signal)) await this.inSandboxes.withdraw(use);
  }

  [Symbol.dispose](): void {
    this.#watch[Symbol.dispose]();
  }

  async #check(wanted: Importing): Promise<{
    account: string | null;
    files: ReadonlyMap<string, Buffer>;
  }> {
    const { agent, kept, files, place, request, signal } = wanted;
    if (!canAsk(agent)) return { account: null, files };
    const { providers, layersFor, createThrowAway } = this.#options;
    const provider = findProvider(providers, undefined);
    const { regions, installTimeoutMs, mirrors = null } = request;
    const context = { owner: place.owner, provider, mirrors, signal, onEvent: () => undefined };
    const layers = await layersFor(agent.id, {
      ...context,
      ...(installTimeoutMs === undefined ? {} : { installTimeoutMs }),
    });
    const where = { provider, mirrors, layers, regions };
    const checked = await checkSignIn(createThrowAway, {
      agent,
      kept,
      files,
      place: where,
      signal,
    });
    if (checked.account !== undefined) return { account: checked.account, files: checked.files };
    const message = `${agent.title} says that nobody is signed in with this bundle: the sign-in has ended.`;
    throw new CattlegridError("SIGN_IN_EXPIRED", message);
  }

  async #show(place: ProfilePlace, signal: AbortSignal): Promise<LoginProfile> {
    const { agent, profile } = place;
    const lent = await this.#findLent(place);
    const rows = await Promise.all(
      lent.map(({ sandboxId }) => this.#options.store.sandboxes.get(sandboxId)),
    );
    const sandboxes = rows.flatMap((row) => (row === undefined ? [] : [row.name]));
    const named = { agent, profile, sandboxes };
    try {
      const stored = await this.#options.profiles.get(place, signal);
      if (stored === undefined) throw unknown(place);
      const { account, savedAt, expiresAt, refusedAt } = stored;
      const status = refusedAt === undefined ? "signed-in" : "refused";
      const renewal = expiresAt === undefined ? {} : { renewsBefore: expiresAt };
      return { ...named, status, account, savedAt, ...renewal };
    } catch (error) {
      if (!CattlegridError.is(error)) throw error;
      return { ...named, status: "unreadable", account: null, problem: error.message };
    }
  }

  async #renewWhereUsed(place: ProfilePlace): Promise<void> {
    const uses = await this.#findUses(place, AbortSignal.timeout(RENEWAL_TIMEOUT_MS));
    // The first renews it, and the others have the new one; one that cannot be given it keeps no other from it.
    const refreshed = await Promise.allSettled(uses.map((use) => this.inSandboxes.refresh(use)));
    const failed = refreshed.find((each) => each.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  }

  async #findLent({ owner, agent, profile }: ProfilePlace): Promise<readonly LentSignIn[]> {
    const { sandboxes, lentSignIns } = this.#options.store;
    const all = (await lentSignIns.list()).filter((lent) => lent.profile === profile);
    const rows = await Promise.all(all.map(({ sandboxId }) => sandboxes.get(sandboxId)));
    return all.filter((_, index) => rows[index]?.owner === owner && rows[index].agent === agent);
  }

  /** The running sandboxes that have a copy. */
  async #findUses(place: ProfilePlace, signal: AbortSignal): Promise<readonly SignInUse[]> {
    const agent = findAgent(this.#options.agents, place.agent);
    return (await this.#findLent(place)).flatMap(({ sandboxId }) => {
      const running = this.#options.running(sandboxId);
      return running === undefined ? [] : [{ running, agent, signal }];
    });
  }
}

interface Importing {
  agent: AgentAdapter;
  kept: KeptSignIn;
  files: ReadonlyMap<string, Buffer>;
  place: ProfilePlace;
  request: LoginImport;
  signal: AbortSignal;
}

export function requireKept(agent: AgentAdapter): KeptSignIn {
  if (agent.keptSignIn !== undefined) return agent.keptSignIn;
  const message = `${agent.title} has no sign-in that could be kept.`;
  throw new CattlegridError("AGENT_OPTION_UNAVAILABLE", message);
}

function canAsk(agent: AgentAdapter): agent is AgentAdapter & { signIn: AgentSignIn } {
  return agent.signIn !== undefined;
}

function unknown({ agent, profile }: ProfilePlace): CattlegridError {
  const message = `There is no login profile ${profile} of ${agent}.`;
  return new CattlegridError("LOGIN_PROFILE_NOT_FOUND", message);
}
