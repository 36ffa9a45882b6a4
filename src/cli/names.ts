import { CattlegridError } from "../errors/error.ts";
import { type Caller, write } from "./caller.ts";
import { renderError } from "./output/error-text.ts";
import { exitCodeOf } from "./exit-code.ts";

/** Does the same with each name, past those it fails for. The exit status is that of the first failure. */
export async function forEachName(
  names: readonly string[],
  caller: Caller,
  action: (name: string) => Promise<void>,
): Promise<number> {
  let status = 0;
  for (const name of names) {
    try {
      await action(name);
    } catch (error) {
      if (!CattlegridError.is(error) || error.code === "INTERRUPTED" || names.length === 1)
        throw error;
      await write(caller.errors, renderError(error));
      if (status === 0) status = exitCodeOf(error);
    }
  }
  return status;
}
