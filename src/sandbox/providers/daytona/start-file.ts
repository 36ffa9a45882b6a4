import { CattlegridError } from "../../../errors/error.ts";
import type { ProcessRequest } from "../../process.ts";

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

export interface StartWish {
  request: ProcessRequest;
  cwd: string;
  /** Of the sandbox; the request's own comes over it. */
  environment: Readonly<Record<string, string>>;
  /** By which the mark at the end of each stream is known. */
  token: string;
}

/**
 * A program's start as the text that the guest program reads.
 *
 * SECURITY: every word of a caller's is between single quotes, in which a shell knows nothing but their end, and names of
 * variables are letters, digits and underscores.
 */
export function writeStart({ request, cwd, environment, token }: StartWish): string {
  const { terminal, argv, secrets } = request;
  const variables = { ...environment, ...request.environment, ...secrets };
  const settings = {
    cwd,
    token,
    rows: terminal === undefined ? "" : String(terminal.rows),
    columns: terminal === undefined ? "" : String(terminal.columns),
    raw: terminal?.rawOutput === true ? "raw" : "",
    separate: hasErrors(request) ? "separate" : "",
  };
  return [
    ...Object.entries(settings).map(([name, value]) => `${name}=${quote(value)}`),
    "variables() {",
    ...Object.entries(variables).map(([name, value]) => `export ${name}=${quote(value)}`),
    "}",
    `set -- ${argv.map(quote).join(" ")}\n`,
  ].join("\n");
}

/** Whether its errors come apart from its output. */
export function hasErrors({ terminal }: ProcessRequest): boolean {
  return terminal === undefined || terminal.separateErrors === true;
}

export function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** Throws REQUEST_INVALID for variables that no shell can set. */
export function checkVariables({ environment, secrets }: ProcessRequest): void {
  const wrong = Object.keys({ ...environment, ...secrets }).find((name) => !NAME.test(name));
  if (wrong === undefined) return;
  const message = `${JSON.stringify(wrong)} is no name of a variable.`;
  throw new CattlegridError("REQUEST_INVALID", message, {
    hint: "Use letters, digits and underscores.",
  });
}
