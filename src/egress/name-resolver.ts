import { lookup } from "node:dns/promises";
import { parseAddress, type Address } from "./address.ts";
import type { HostName } from "./host-name.ts";

export type Resolution =
  | { ok: true; addresses: readonly Address[] }
  | { ok: false; problem: string };

/** Turns a name into addresses as the host sees it. Never rejects; an abort is a failed resolution. */
export type ResolveName = (name: HostName, signal: AbortSignal) => Promise<Resolution>;

/** Lookups run on the same few threads as all file access of the process. */
const LOOKUPS_MAX = 2;
const LOOKUP_DEADLINE_MS = 10_000;

/** Resolves with the host's own resolver, a few names at a time, one question per name at a time. */
export function createNameResolver(concurrency = LOOKUPS_MAX): ResolveName {
  const running = new Map<HostName, Promise<Resolution>>();
  const waiting: (() => void)[] = [];
  let active = 0;

  async function ask(name: HostName): Promise<Resolution> {
    if (active >= concurrency) await new Promise<void>((resolve) => waiting.push(resolve));
    else active += 1;
    try {
      return await lookupAll(name);
    } finally {
      const next = waiting.shift();
      if (next === undefined) active -= 1;
      else next();
      running.delete(name);
    }
  }

  return async (name, signal) => {
    const resolution = running.get(name) ?? ask(name);
    running.set(name, resolution);
    return withDeadline(resolution, signal);
  };
}

async function lookupAll(name: HostName): Promise<Resolution> {
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
    const give = (problem: string) => () => finish({ ok: false, problem });
    const onAbort = give("the connection was closed");
    const timer = setTimeout(give("its name does not resolve in time"), LOOKUP_DEADLINE_MS);
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
