import { CattlegridError } from "../errors/error.ts";

/** What `promise` gives, unless `signal` aborts first: then INTERRUPTED, and the promise is left to itself. */
export async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = (): void =>
    reject(new CattlegridError("INTERRUPTED", "Nobody waits for this any more."));
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
