import type { KeptSignIn, SignInRenewal, SignInValues } from "../../agent.ts";

const OIDC_TOKEN = "kirocli:odic:token";
const OIDC_REGISTRATION = "kirocli:odic:device-registration";
const SOCIAL_TOKEN = "kirocli:social:token";
const EXTERNAL_TOKEN = "kirocli:external-idp:token";
const TOKENS = [OIDC_TOKEN, SOCIAL_TOKEN, EXTERNAL_TOKEN];
/** Kiro renews a token that has less than this left. */
const SLACK_MS = 60_000;

const renewal: SignInRenewal = {
  expiresAt(values) {
    const ends = TOKENS.flatMap((key) => {
      const expiresAt = parse(values[key])?.["expires_at"];
      const endMs = typeof expiresAt === "string" ? Date.parse(expiresAt) : NaN;
      return Number.isNaN(endMs) ? [] : [endMs - SLACK_MS];
    });
    return ends.length === 0 ? undefined : new Date(Math.min(...ends));
  },
  expire: (values) => changeTokens(values, { expires_at: new Date(0).toISOString() }),
  // SECURITY: without a refresh token, and without the client that it belongs to.
  lend: ({ [OIDC_REGISTRATION]: _registration, ...rest }) =>
    changeTokens(rest, { refresh_token: null }),
};

/** `~/.local/share/kiro-cli`: one database, in which conversations lie beside the tokens. */
export const keptSignIn: KeptSignIn = {
  directory: ".local/share/kiro-cli",
  files: ["data.sqlite3", "data.sqlite3-wal"],
  database: {
    tables: { migrations: ["version"], auth_kv: ["key", "value"], state: ["key", "value"] },
    whole: ["migrations"],
    rows: [
      {
        table: "auth_kv",
        key: "key",
        value: "value",
        keys: [...TOKENS, OIDC_REGISTRATION],
      },
      // Which of an organisation's profiles was chosen at the sign-in.
      { table: "state", key: "key", value: "value", keys: ["api.codewhisperer.profile"] },
    ],
    renewal,
  },
};

function changeTokens(values: SignInValues, change: Record<string, unknown>): SignInValues {
  const changed: Record<string, string> = { ...values };
  for (const key of TOKENS) {
    const token = parse(values[key]);
    if (token !== undefined) changed[key] = JSON.stringify({ ...token, ...change });
  }
  return changed;
}

function parse(text: string | undefined): Record<string, unknown> | undefined {
  if (text === undefined) return undefined;
  try {
    const value = JSON.parse(text) as unknown;
    return typeof value === "object" && value !== null
      ? (value as Record<string, unknown>)
      : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
