/** Whose mistake it is: the caller's, the machine's or backend's, or ours. */
export type Fault = "user" | "provider" | "internal";

export interface ErrorDefinition {
  fault: Fault;
  httpStatus: number;
  /** Exit status of the command line; see docs and `cli/exit-code.ts`. */
  exitCode: number;
  /** What a reader can do, when the place that throws knows nothing better. */
  hint: string;
}

export function define<const T extends Record<string, ErrorDefinition>>(codes: T): T {
  return codes;
}

export function user(httpStatus: number, hint: string, exitCode = 125): ErrorDefinition {
  return { fault: "user", httpStatus, exitCode, hint };
}

export function provider(httpStatus: number, hint: string, exitCode = 125): ErrorDefinition {
  return { fault: "provider", httpStatus, exitCode, hint };
}

export function internal(httpStatus: number, hint: string): ErrorDefinition {
  return { fault: "internal", httpStatus, exitCode: 125, hint };
}
