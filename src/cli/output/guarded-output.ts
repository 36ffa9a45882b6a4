import { CattlegridError } from "../../errors/error.ts";
import { TERMINAL_FEATURES, type TerminalFeature } from "../../protocol/terminal-feature.ts";
import { type Caller, write } from "../caller.ts";
import { OutputFilter } from "./output-filter.ts";

/** An answer later than this after its question is none. */
const ANSWER_LATE_MS = 1000;
const ANSWER_WAIT_MS = 300;
const ASK_STATUS = "\x1b[5n";
const STATUS = /\x1b\[[03]n/;

/** The caller's streams, with what a program inside may not do to a terminal taken out. What is no terminal gets every byte. */
export interface GuardedOutput {
  output(bytes: Uint8Array): Uint8Array;
  errors(bytes: Uint8Array): Uint8Array;
  /**
   * Takes what the terminal may still answer to the program's questions off the input.
   * SECURITY: once this process is gone, the shell would read it as if it had been typed.
   */
  forgetAnswers(): Promise<void>;
}

/** `isAnswered`: the program gets what is typed, so it may ask the terminal too. */
export function guardOutput(
  caller: Caller,
  { isAnswered }: { isAnswered: boolean },
): GuardedOutput {
  const open = (stream: NodeJS.WriteStream): OutputFilter | undefined => {
    if (!stream.isTTY) return undefined;
    const chosen = parseTerminalFeatures(caller.environment["CATTLEGRID_TERMINAL"] ?? "");
    return new OutputFilter([...chosen, ...(isAnswered ? (["query"] as const) : [])]);
  };
  const [output, errors] = [open(caller.output), open(caller.errors)];
  return {
    output: (bytes) => output?.push(bytes) ?? bytes,
    errors: (bytes) => errors?.push(bytes) ?? bytes,
    async forgetAnswers() {
      const since = performance.now() - ANSWER_LATE_MS;
      const isRecent = (filter?: OutputFilter): boolean =>
        (filter?.lastQueryAtMs ?? -Infinity) > since;
      if (!isRecent(output) && !isRecent(errors)) return;
      await readAnswers(caller);
    },
  };
}

/** Answers come in the order of the questions: behind the one to ours there is none. */
async function readAnswers(caller: Caller): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let seen = "";
  const take = (bytes: Buffer): void => {
    seen += bytes.toString("latin1");
    if (STATUS.test(seen)) resolve();
  };
  const patience = setTimeout(resolve, ANSWER_WAIT_MS);
  caller.input.on("data", take);
  caller.input.resume();
  try {
    await write(caller.output, ASK_STATUS);
    await promise;
  } finally {
    clearTimeout(patience);
    caller.input.pause();
    caller.input.off("data", take);
  }
}

/** `title,links`, or `all`. Throws USAGE for what is no feature. */
export function parseTerminalFeatures(text: string): readonly TerminalFeature[] {
  const names = text.split(",").map((name) => name.trim());
  const choosable = TERMINAL_FEATURES.filter((feature) => feature !== "query");
  if (names.includes("all")) return choosable;
  return names.filter(Boolean).map((name) => {
    const feature = choosable.find((each) => each === name);
    if (feature !== undefined) return feature;
    const message = `A program can be permitted ${choosable.join(", ")} or all, not ${name}.`;
    throw new CattlegridError("USAGE", message, {
      hint: "Set CATTLEGRID_TERMINAL=title,links, or leave it out.",
    });
  });
}
