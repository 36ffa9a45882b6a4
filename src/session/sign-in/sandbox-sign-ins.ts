import type { AgentAdapter, AgentSignIn, KeptSignIn } from "../../agent/agent.ts";
import { CattlegridError } from "../../errors/error.ts";
import { hasSignIn, lendSignIn, readSignIn, removeSignIn } from "../../login/placement.ts";
import { DEFAULT_PROFILE, type ProfilePlace } from "../../login/profile-name.ts";
import type { LoginProfiles, Renewal } from "../../login/profiles.ts";
import { takeApart } from "../../login/sign-in-parts.ts";
import { expire } from "../../login/sign-in-parts.ts";
import { decodeFiles, type StoredSignIn } from "../../login/stored-sign-in.ts";
import type { RunningSandbox } from "../../sandbox/provider.ts";
import type { ThrowAwayOptions, ThrowAwaySandbox } from "../../sandbox/life/throw-away.ts";
import type { SandboxRow } from "../../store/sandbox-rows.ts";
import type { Store } from "../../store/store.ts";
import { findCheckingPlace, type CheckingPlaceOptions } from "./checking-place.ts";
import { checkSignIn } from "./sign-in-check.ts";

export interface SandboxSignInsOptions extends CheckingPlaceOptions {
  store: Pick<Store, "sandboxes" | "sessions" | "lentSignIns">;
  profiles: LoginProfiles;
  createThrowAway(options: ThrowAwayOptions): Promise<ThrowAwaySandbox>;
  /** Called with every sign-in that a running sandbox has a copy of. */
  onLent(place: ProfilePlace, stored: StoredSignIn): void;
}

/** A running sandbox whose agent has, or is to have, a sign-in that is kept outside. */
export interface SignInUse {
  running: RunningSandbox;
  agent: AgentAdapter;
  signal: AbortSignal;
}

export interface SandboxSignIns {
  /**
   * Makes the sandbox's copy of a profile's sign-in today's; false when it has none. Throws AGENT_NOT_SIGNED_IN when the
   * agent's service has taken the sign-in back; the copy is then gone. `isDoubted`: the service has just refused this
   * copy, so that it is renewed although its time has not come.
   */
  refresh(use: SignInUse, how?: { isDoubted?: boolean }): Promise<boolean>;
  /** Gives a sandbox where nobody is signed in a copy of its profile's; false when there is nothing to give. */
  lend(use: SignInUse): Promise<boolean>;
  /** Which profile the sandbox's sign-in comes from. */
  profileOf(use: SignInUse): Promise<string>;
  /** Keeps the sign-in that somebody just made inside, as a profile. */
  keep(use: SignInUse, account: string | null, profile: string): Promise<void>;
  /** Which profile a sign-in made in this session would be kept as; undefined when it stays where it is. */
  keepsAs(use: SignInUse): Promise<string | undefined>;
  /** Of an agent that renews its sign-in by itself: takes over what it made of its copy. */
  takeBack(use: SignInUse): Promise<void>;
  /** Takes the copies of a profile out of a sandbox. */
  withdraw(use: SignInUse): Promise<void>;
}

interface Use extends SignInUse {
  kept: KeptSignIn;
  row: SandboxRow;
  place: ProfilePlace;
}

export function createSandboxSignIns(options: SandboxSignInsOptions): SandboxSignIns {
  return new LentSignIns(options);
}

class LentSignIns implements SandboxSignIns {
  readonly #options: SandboxSignInsOptions;

  constructor(options: SandboxSignInsOptions) {
    this.#options = options;
  }

  async refresh(given: SignInUse, { isDoubted = false } = {}): Promise<boolean> {
    const { lentSignIns } = this.#options.store;
    const use = await this.#describe(given);
    const lent = await lentSignIns.get(given.running.id);
    if (use === undefined || lent === undefined) return false;
    const current = { ...use, place: { ...use.place, profile: lent.profile } };
    const stored = await this.#fresh(current, isDoubted ? lent.revision : undefined);
    if (stored === undefined || stored.refusedAt !== undefined) {
      await this.withdraw(given);
      if (stored !== undefined) throw takenBack(current);
      return false;
    }
    if (stored.revision === lent.revision) this.#options.onLent(current.place, stored);
    else await this.#give(current, stored);
    return true;
  }

  async lend(given: SignInUse): Promise<boolean> {
    const use = await this.#describe(given);
    if (use === undefined) return false;
    // Of an agent that cannot say who is signed in, what lies there is left alone.
    if (use.agent.signIn === undefined && (await hasSignIn(use))) return false;
    const stored = await this.#fresh(use);
    if (stored?.refusedAt !== undefined) throw takenBack(use);
    const isNamed = use.row.specification.loginProfile !== undefined;
    // An agent that says who is signed in is signed in to then; any other would go its own way, and nobody be told.
    if (stored === undefined && isNamed && use.agent.signIn === undefined) {
      const { agent, profile } = use.place;
      const message = `There is no login profile ${profile} of ${use.agent.title}.`;
      throw new CattlegridError("LOGIN_PROFILE_NOT_FOUND", message, {
        hint: `Make it with \`cattlegrid login ${agent} --profile ${profile}\`.`,
      });
    }
    if (stored === undefined) return false;
    await this.#give(use, stored);
    return true;
  }

  async profileOf(given: SignInUse): Promise<string> {
    return (await this.#describe(given))?.place.profile ?? DEFAULT_PROFILE;
  }

  async keepsAs(given: SignInUse): Promise<string | undefined> {
    const use = await this.#describe(given);
    if (use === undefined) return undefined;
    const { sessions } = this.#options.store;
    // SECURITY: where an agent was at work before, what says that somebody signed in may be its work.
    if ((await sessions.listBySandbox(use.row.id)).length > 1) return undefined;
    return use.place.profile;
  }

  async keep(given: SignInUse, account: string | null, profile: string): Promise<void> {
    const use = await this.#describe(given);
    if (use === undefined) return;
    const place = { ...use.place, profile };
    const parts = await takeApart(use.kept, await readSignIn(use));
    const { regions } = use.row.specification;
    const stored = await this.#options.profiles.keep(
      place,
      { parts, account, regions },
      use.signal,
    );
    // From here on this sandbox has a copy like every other.
    await this.#give({ ...use, place }, stored);
  }

  async takeBack(given: SignInUse): Promise<void> {
    const { store, profiles } = this.#options;
    const use = await this.#describe(given);
    const lent = await store.lentSignIns.get(given.running.id);
    if (use === undefined || lent === undefined || use.kept.database !== undefined) return;
    const place = { ...use.place, profile: lent.profile };
    const stored = await profiles.get(place, use.signal);
    const files = await readSignIn(use);
    if (stored === undefined || !isRenewed(decodeFiles(stored.whole), files)) return;
    const parts = await takeApart(use.kept, files);
    const taken = await profiles.takeBack(place, { revision: lent.revision, parts }, use.signal);
    if (taken === undefined) return;
    await store.lentSignIns.put({ ...lent, revision: taken.revision });
  }

  async withdraw(given: SignInUse): Promise<void> {
    const use = await this.#describe(given);
    if (use !== undefined) await removeSignIn(use);
    await this.#options.store.lentSignIns.remove(given.running.id);
  }

  async #describe(given: SignInUse): Promise<Use | undefined> {
    const { keptSignIn: kept } = given.agent;
    const row = await this.#options.store.sandboxes.get(given.running.id);
    if (kept === undefined || row === undefined) return undefined;
    const profile = row.specification.loginProfile ?? DEFAULT_PROFILE;
    return { ...given, kept, row, place: { owner: row.owner, agent: row.agent, profile } };
  }

  async #give(use: Use, stored: StoredSignIn): Promise<void> {
    const { store, onLent } = this.#options;
    if (!(await lendSignIn(use, stored))) {
      const message = `The sign-in of ${use.agent.title} cannot be renewed while it runs here.`;
      throw new CattlegridError("SIGN_IN_RENEWAL_FAILED", message, {
        hint: "Install sqlite3 or python3 on this machine, or end the session and start it again.",
      });
    }
    const { profile } = use.place;
    const lent = { sandboxId: use.running.id, profile, revision: stored.revision };
    await store.lentSignIns.put(lent);
    onLent(use.place, stored);
  }

  #fresh(use: Use, doubted?: number): Promise<StoredSignIn | undefined> {
    const { place, signal } = use;
    const renew = (stored: StoredSignIn): Promise<Renewal> => this.#renew(use, stored);
    return this.#options.profiles.fresh(place, { renew, doubted }, signal);
  }

  async #renew({ agent, kept, row, signal }: Use, stored: StoredSignIn): Promise<Renewal> {
    const { database } = kept;
    if (database === undefined || !canAsk(agent)) return stored;
    const files = decodeFiles(stored.whole);
    const [name = ""] = kept.files;
    const whole = files.get(name) ?? Buffer.alloc(0);
    const expired = new Map([[name, await expire(database, whole)]]);
    const { regions } = stored;
    const place = await findCheckingPlace(this.#options, { row, regions, signal });
    const checked = await checkSignIn(this.#options.createThrowAway, {
      agent,
      kept,
      files: expired,
      place,
      signal,
    });
    return judgeRenewal(kept, agent, checked);
  }
}

/** Only the sign-in that the agent itself has thrown away is one that its service refuses. */
async function judgeRenewal(
  kept: KeptSignIn,
  agent: AgentAdapter,
  checked: Awaited<ReturnType<typeof checkSignIn>>,
): Promise<Renewal> {
  try {
    const parts = await takeApart(kept, checked.files);
    if (checked.account !== undefined) return parts;
  } catch (error) {
    if (CattlegridError.is(error, "SIGN_IN_INVALID")) return "refused";
    throw error;
  }
  const message = `The sign-in of ${agent.title} could not be renewed: its service did not answer.`;
  throw new CattlegridError("SIGN_IN_RENEWAL_FAILED", message);
}

function canAsk(agent: AgentAdapter): agent is AgentAdapter & { signIn: AgentSignIn } {
  return agent.signIn !== undefined;
}

function isRenewed(before: ReadonlyMap<string, Buffer>, now: ReadonlyMap<string, Buffer>): boolean {
  return [...now].some(([path, bytes]) => before.get(path)?.equals(bytes) !== true);
}

function takenBack({ agent, place }: Use): CattlegridError {
  const { profile } = place;
  const message = `The sign-in of ${agent.title} (profile ${profile}) is not accepted any more: it was revoked, or has ended.`;
  const flag = profile === DEFAULT_PROFILE ? "" : ` --profile ${profile}`;
  return new CattlegridError("AGENT_NOT_SIGNED_IN", message, {
    hint: `Sign in anew: \`cattlegrid login ${agent.id}${flag}\`.`,
  });
}
