import type { Context } from "./context.ts";

export const OIDC_TOKEN = "kirocli:odic:token";
export const OIDC_REGISTRATION = "kirocli:odic:device-registration";
export const SOCIAL_TOKEN = "kirocli:social:token";
export const BUILDER_ID_START_URL = "https://view.awsapps.com/start";
export const SOCIAL_HOST = "prod.us-east-1.auth.desktop.kiro.dev";

export interface Registration {
  client_id: string;
  client_secret: string;
  client_secret_expires_at: string;
  region: string;
  oauth_flow: "DeviceCode";
  scopes: readonly string[];
}

export interface OidcToken {
  access_token: string;
  expires_at: string;
  refresh_token: string;
  region: string;
  start_url: string;
  oauth_flow: "DeviceCode";
  scopes: readonly string[];
}

export interface SocialToken {
  access_token: string;
  refresh_token: string;
  expires_at: string;
  profile_arn: string | null;
  provider: "Google" | "Github";
}

export type Credentials =
  | { kind: "oidc"; token: OidcToken }
  | { kind: "social"; token: SocialToken }
  | { kind: "key"; key: string };

const SLACK_MS = 60_000;

/** The stored sign-in, refreshed when its hour is over; then KIRO_API_KEY; else undefined. */
export async function loadCredentials(context: Context): Promise<Credentials | undefined> {
  const session = await loadSession(context);
  if (session !== undefined) return session;
  const key = context.environment["KIRO_API_KEY"];
  return key === undefined || key === "" ? undefined : { kind: "key", key };
}

export function authorisation(credentials: Credentials): Record<string, string> {
  if (credentials.kind === "key") {
    return { authorization: `Bearer ${credentials.key}`, tokentype: "API_KEY" };
  }
  return { authorization: `Bearer ${credentials.token.access_token}` };
}

/** RFC 3339 time that many seconds from now. */
export function expiryAfter(seconds: unknown): string {
  return new Date(Date.now() + Number(seconds) * 1000).toISOString();
}

/** Deletes every credential and keeps the file. */
export function forgetCredentials(context: Context): void {
  for (const key of [OIDC_TOKEN, OIDC_REGISTRATION, SOCIAL_TOKEN]) {
    context.database().deleteAuth(key);
  }
}

async function loadSession(context: Context): Promise<Credentials | undefined> {
  const oidc = context.database().auth(OIDC_TOKEN) as OidcToken | undefined;
  if (oidc !== undefined) {
    const token = isFresh(oidc.expires_at) ? oidc : await refreshOidc(context, oidc);
    return token === undefined ? undefined : { kind: "oidc", token };
  }
  const social = context.database().auth(SOCIAL_TOKEN) as SocialToken | undefined;
  if (social === undefined) return undefined;
  const token = isFresh(social.expires_at) ? social : await refreshSocial(context, social);
  return token === undefined ? undefined : { kind: "social", token };
}

function isFresh(expiresAt: string): boolean {
  return Date.parse(expiresAt) - SLACK_MS > Date.now();
}

async function refreshOidc(context: Context, token: OidcToken): Promise<OidcToken | undefined> {
  const database = context.database();
  const registration = database.auth(OIDC_REGISTRATION) as Registration | undefined;
  if (registration === undefined) return undefined;
  const { status, body } = await context.network.post({
    host: `oidc.${token.region}.amazonaws.com`,
    path: "/token",
    body: {
      clientId: registration.client_id,
      clientSecret: registration.client_secret,
      grantType: "refresh_token",
      refreshToken: token.refresh_token,
    },
  });
  if (status !== 200) {
    database.deleteAuth(OIDC_TOKEN);
    return undefined;
  }
  const renewed: OidcToken = { ...token, ...readPair(body) };
  database.setAuth(OIDC_TOKEN, renewed);
  return renewed;
}

async function refreshSocial(
  context: Context,
  token: SocialToken,
): Promise<SocialToken | undefined> {
  const { status, body } = await context.network.post({
    host: SOCIAL_HOST,
    path: "/refreshToken",
    body: { refreshToken: token.refresh_token },
  });
  if (status !== 200) {
    context.database().deleteAuth(SOCIAL_TOKEN);
    return undefined;
  }
  const renewed: SocialToken = { ...token, ...readPair(body) };
  context.database().setAuth(SOCIAL_TOKEN, renewed);
  return renewed;
}

/** The fields every token answer shares, under the names the database uses. */
export function readPair(body: Record<string, unknown>): {
  access_token: string;
  refresh_token: string;
  expires_at: string;
} {
  return {
    access_token: String(body["accessToken"]),
    refresh_token: String(body["refreshToken"]),
    expires_at: expiryAfter(body["expiresIn"]),
  };
}
