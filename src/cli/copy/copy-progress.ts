import type { Caller } from "../caller.ts";
import type { Tally } from "./tally.ts";

const SHOW_EVERY_MS = 200;

/** Shows on a terminal how far a copy is, on one line that is gone at the end. */
export function watchCopy({ errors }: Caller, tally: Tally): Disposable {
  if (!errors.isTTY) return { [Symbol.dispose]: () => undefined };
  let hasLine = false;
  const show = (): void => {
    const megabytes = (tally.bytes / 1_000_000).toFixed(1);
    errors.write(`\r\u001b[K  ${tally.files} files, ${megabytes} MB`);
    hasLine = true;
  };
  const timer = setInterval(show, SHOW_EVERY_MS);
  return {
    [Symbol.dispose]() {
      clearInterval(timer);
      if (hasLine) errors.write("\r\u001b[K");
    },
  };
}
