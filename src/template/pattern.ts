import { createContext, Script } from "node:vm";

/** Far more than a pattern that somebody meant needs. */
const MATCH_MS = 250;

/**
 * Whether the whole of `text` matches; undefined when that takes too long to tell.
 * SECURITY: whoever writes a project's template writes the pattern, and one that doubles its work with each character of
 * the text would otherwise stop every sandbox of the daemon.
 */
export function matchesWhole(pattern: string, text: string): boolean | undefined {
  const context = createContext({ expression: new RegExp(`^(?:${pattern})$`, "u"), text });
  try {
    const found: unknown = new Script("expression.test(text)").runInContext(context, {
      timeout: MATCH_MS,
    });
    return found === true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ERR_SCRIPT_EXECUTION_TIMEOUT") return undefined;
    throw error;
  }
}

/** Why a text is no pattern; undefined when it is one. */
export function refusePattern(pattern: string): string | undefined {
  try {
    return new RegExp(`^(?:${pattern})$`, "u").source === "" ? "it is empty" : undefined;
  } catch (error) {
    return (error as Error).message;
  }
}
