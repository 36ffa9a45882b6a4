const REASON_CHARACTERS_MAX = 300;

/** What Kiro writes to stderr when a turn came to nothing, mostly with exit status 0. */
const FAILURES: readonly (readonly [pattern: RegExp, reason: string])[] = [
  [/Authentication failed\./, "Kiro refused the API key."],
  [/You are not logged in/, "Kiro CLI is not signed in."],
  [/Failed to open browser for authentication/, "Kiro CLI is not signed in."],
  [/Confirm the following code in the browser/, "Kiro CLI is not signed in: it asked for a login."],
  [/Your login session has expired|^\W*Authentication Error/m, "The sign-in has expired."],
  [/Monthly request limit reached/, "The account's monthly request limit is reached."],
  [/rate limit reached|Request quota exceeded/, "Kiro's rate limit is reached. Wait a moment."],
  [/is having trouble responding right now/, "Kiro's service has trouble responding right now."],
  [/model you've selected is temporarily unavailable/, "The model is temporarily unavailable."],
  [/non-interactive mode \(no user to approve\)/, "Kiro refused a tool that nobody could approve."],
  [/Tool approval required but --no-interactive/, "Kiro refused a tool that nobody could approve."],
];

const SIGN_IN_REFUSED =
  /You are not logged in|Failed to open browser for authentication|Confirm the following code in the browser|Your login session has expired|^\W*Authentication Error/m;

/** Whether Kiro's service does not take the sign-in any more. */
export function isSignInRefused(text: string): boolean {
  return SIGN_IN_REFUSED.test(text);
}

const EXIT_REASONS: Readonly<Record<number, string>> = {
  1: "Kiro CLI failed",
  2: "Kiro CLI did not accept its arguments",
  3: "An MCP server did not start",
  4: "Kiro CLI did not find the agent it was to use",
};

/** The reason, when the text is one of those that Kiro writes when a turn came to nothing. */
export function findFailure(text: string): string | undefined {
  return FAILURES.find(([pattern]) => pattern.test(text))?.[1];
}

export function describeExit(exitCode: number, errors: string): string {
  const what = EXIT_REASONS[exitCode] ?? `Kiro CLI ended with exit status ${exitCode}`;
  const said = /^error: (.+)$/m.exec(errors)?.[1];
  return said === undefined ? `${what}.` : `${what}: ${said.slice(0, REASON_CHARACTERS_MAX)}`;
}

export const CONVERSATION_MISSING = "The conversation that was to go on is not there any more.";

export function isConversationMissing(errors: string): boolean {
  return /\bSession not found: /.test(errors);
}
