import { lookup } from "node:dns/promises";
import { parseAddress, type Address } from "../address.ts";
import type { HostName } from "../host-name.ts";

export type Resolution =
  | { ok: true; addresses: readonly Address[] }
  | { ok: false; problem: string };

/**
 * Turns a name into addresses as the host sees it, for one `owner`. Never rejects; an abort and a name
 * that takes too long are failed resolutions.
 */
export type ResolveName = (
  name: HostName,
  signal: AbortSignal,
  owner: object,
) => Promise<Resolution>;

export type LookUp = (name: HostName) => Promise<Resolution>;

/** Lookups run on the same four threads as all file access of the process. */
const LOOKUPS_MAX = 3;
/** SECURITY: names that take long must not keep another sandbox from resolving its own. */
const LOOKUPS_PER_OWNER_MAX = 2;
const LOOKUP_DEADLINE_MS = 10_000;

/** Resolves a few names at a time, fewer of one owner, and one name once at a time. */
export function createNameResolver(lookUp: LookUp = lookUpOnHost): ResolveName {
  const slots = new Slots(LOOKUPS_MAX);
  const slotsOf = new WeakMap<object, Slots>();
  const running = new Map<HostName, Promise<Resolution>>();

  function start(name: HostName): Promise<Resolution> {
    const resolution = running.get(name) ?? lookUp(name).finally(() => running.delete(name));
    running.set(name, resolution);
    return resolution;
  }

  return (name, signal, owner) => {
    const own = slotsOf.get(owner) ?? new Slots(LOOKUPS_PER_OWNER_MAX);
    slotsOf.set(owner, own);
    const ask = (): Promise<Resolution> =>
      signal.aborted ? Promise.resolve(ABORTED) : start(name);
    return withDeadline(
      own.use(() => slots.use(ask)),
      signal,
    );
  };
}

const ABORTED: Resolution = { ok: false, problem: "the connection was closed" };

/** Lets a number of tasks run at a time and the others wait for their turn. */
class Slots {
  readonly #waiting: (() => void)[] = [];
  #free: number;

  constructor(count: number) {
    this.#free = count;
  }

  async use<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free === 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#free -= 1;
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free += 1;
      else next();
    }
  }
}

async function lookUpOnHost(name: HostName): Promise<Resolution> {
  try {
    const found = await lookup(name, { all: true, order: "verbatim" });
    const addresses = found.flatMap(({ address }) => parseAddress(address) ?? []);
    return { ok: true, addresses };
  } catch (error) {
    const { code, syscall } = error as NodeJS.ErrnoException;
    if (syscall !== "getaddrinfo") throw error;
    return { ok: false, problem: `its name does not resolve (${code ?? "unknown"})` };
  }
}

function withDeadline(resolution: Promise<Resolution>, signal: AbortSignal): Promise<Resolution> {
  return new Promise((resolve, reject) => {
    const onAbort = () => finish(ABORTED);
    const onDeadline = () => finish({ ok: false, problem: "its name does not resolve in time" });
    const timer = setTimeout(onDeadline, LOOKUP_DEADLINE_MS);
    const finish = (result: Resolution) => {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      resolve(result);
    };
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
    resolution.then(finish, reject);
  });
}
