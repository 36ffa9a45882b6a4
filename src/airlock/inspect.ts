import { createPace } from "../platform/pace.ts";
import type { Change, Entry, Surroundings } from "./change.ts";
import { classifyStepwise } from "./classify.ts";

export interface InspectOptions {
  surroundings?: Surroundings;
  /** Reads the new text of a change that does not carry it; undefined when it is no text, or nothing new. */
  readText?(change: Change): string | undefined;
  signal?: AbortSignal;
}

/**
 * `classify`, and besides, a look for secrets in every new or changed text. Entries come in the order of the changes.
 * Rejects with the signal's reason.
 */
export async function inspectChanges(
  changes: readonly Change[],
  options: InspectOptions = {},
): Promise<readonly Entry[]> {
  const pace = createPace(options.signal ?? NEVER);
  const steps = classifyStepwise(changes, options.surroundings);
  let step = steps.next();
  for (; step.done !== true; step = steps.next()) await pace.next();
  const judged: Entry[] = [];
  for (const [index, change] of changes.entries()) {
    options.signal?.throwIfAborted();
    await pace.next();
    const entry = step.value[index];
    if (entry !== undefined) judged.push(await withSecrets(entry, newText(change, options)));
  }
  return judged;
}

const NEVER = new AbortController().signal;

function newText(change: Change, { readText }: InspectOptions): string | undefined {
  const text = change.after?.text ?? readText?.(change);
  return text === change.before?.text ? undefined : text;
}

async function withSecrets(entry: Entry, text: string | undefined): Promise<Entry> {
  if (text === undefined) return entry;
  // Loaded when first used: the rules are 200 KiB of patterns that most commands never need.
  const { findSecrets } = await import("./secret.ts");
  const holds = [...entry.holds, ...(await findSecrets(entry.path, text))];
  return { ...entry, verdict: holds.length === 0 ? "plain" : "held", holds };
}
