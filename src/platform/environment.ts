/** This process's environment, for callers that were given none. */
export function readEnvironment(): Readonly<Record<string, string | undefined>> {
  return process.env;
}
