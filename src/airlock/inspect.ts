import type { Change, Entry, Surroundings } from "./change.ts";
import { classify } from "./classify.ts";

/**
 * `classify`, and besides, a look for secrets in every new or changed text. Entries come in the order of the changes.
 * Rejects with the signal's reason.
 */
export async function inspectChanges(
  changes: readonly Change[],
  options: { surroundings?: Surroundings; signal?: AbortSignal } = {},
): Promise<readonly Entry[]> {
  const entries = classify(changes, options.surroundings);
  // Loaded when first used: the rules are 200 KiB of patterns that most commands never need.
  const { findSecrets } = await import("./secret.ts");
  const judged: Entry[] = [];
  for (const [index, entry] of entries.entries()) {
    options.signal?.throwIfAborted();
    const { before, after } = changes[index] ?? {};
    const text = after?.text;
    if (text === undefined || text === before?.text) {
      judged.push(entry);
      continue;
    }
    const secrets = await findSecrets(entry.path, text);
    const holds = [...entry.holds, ...secrets];
    judged.push({ ...entry, verdict: holds.length === 0 ? "plain" : "held", holds });
  }
  return judged;
}
