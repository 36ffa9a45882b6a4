import type { ParsedArguments } from "./arguments.ts";
import { NO_BROWSER, openBrowser } from "./browser.ts";
import { reportTelemetry } from "./context.ts";
import type { Context } from "./context.ts";
import * as credentials from "./credentials.ts";
import { describeError, hangForever, runDeviceFlow } from "./device-flow.ts";
import { CommandFailure, QuietExit } from "./failure.ts";
import { ask } from "./question.ts";
import { select } from "./selector.ts";

type Method = "builder" | "google" | "github" | "organization";

const METHODS: readonly [Method, string][] = [
  ["builder", "Use with Builder ID"],
  ["google", "Use with Google"],
  ["github", "Use with GitHub"],
  ["organization", "Use with Your Organization"],
];

const SCOPES = [
  "codewhisperer:completions",
  "codewhisperer:analysis",
  "codewhisperer:conversations",
  "codewhisperer:transformations",
  "codewhisperer:taskassist",
];

export const LOGIN_OPTIONS = {
  license: "text",
  "identity-provider": "text",
  region: "text",
  social: "text",
  "use-device-flow": "flag",
} as const;

export async function login(context: Context, options: ParsedArguments): Promise<void> {
  const session = await credentials.loadCredentials(context);
  if (session !== undefined && session.kind !== "key") {
    throw new CommandFailure("Already logged in, please logout with kiro-cli logout first");
  }
  if (!options.has("use-device-flow")) return loginWithBrowser();
  const method = await chooseMethod(options);
  if (method === "organization") await loginWithOrganization(context, options);
  else if (method === "builder") await loginWithBuilderId(context);
  else await loginWithSocial(context, method === "google" ? "Google" : "Github");
  process.stdout.write("Device authorized\nLogged in successfully\n");
  if (method === "organization") await chooseProfile(context);
  await reportTelemetry(context, "login");
}

/** The page takes the browser to a callback that never comes here: no browser can reach the sandbox. */
async function loginWithBrowser(): Promise<void> {
  process.stdout.write("▰▰▱▱▱▱▱ Opening browser... | Press (^) + C to cancel\n");
  await tryBrowser();
  await hangForever();
}

/** Opens the sign-in page, or ends with the block that every machine without a browser shows. */
export async function tryBrowser(): Promise<void> {
  const callback = encodeURIComponent("http://localhost:3128/oauth/callback");
  const failure = await openBrowser(
    `https://app.kiro.dev/signin?redirect_uri=${callback}&redirect_from=kirocli`,
  );
  if (failure === undefined) return;
  process.stderr.write(`${NO_BROWSER}\n`);
  throw new CommandFailure(failure);
}

async function chooseMethod(options: ParsedArguments): Promise<Method> {
  if (options.value("license") === "free") return "builder";
  if (options.value("license") === "pro") return "organization";
  const social = options.value("social");
  if (social === "google" || social === "github") return social;
  const index = await select({
    prompt: "Select login method",
    rows: METHODS.map(([, row]) => row),
    cancelled: "No login method selected",
  });
  return METHODS[index]?.[0] ?? "builder";
}

export async function loginWithBuilderId(context: Context): Promise<void> {
  await loginWithOidc(context, {
    region: "us-east-1",
    startUrl: credentials.BUILDER_ID_START_URL,
  });
}

async function loginWithOrganization(context: Context, options: ParsedArguments): Promise<void> {
  const startUrl = await ask("Enter Start URL", options.value("identity-provider") ?? "");
  const region = await ask("Enter Region", options.value("region") ?? "us-east-1");
  if (!/^[a-z0-9-]+$/.test(region)) {
    throw new CommandFailure(
      `failed to construct request: the region '${region}' must be a valid host label`,
    );
  }
  await loginWithOidc(context, { region, startUrl });
  context.database().setState("auth.idc.start-url", startUrl);
  context.database().setState("auth.idc.region", region);
}

interface Directory {
  region: string;
  startUrl: string;
}

async function loginWithOidc(context: Context, { region, startUrl }: Directory): Promise<void> {
  const host = `oidc.${region}.amazonaws.com`;
  const registration = await register(context, region);
  const client = { clientId: registration.client_id, clientSecret: registration.client_secret };
  const answer = await runDeviceFlow(context, {
    host,
    start: { path: "/device_authorization", body: { ...client, startUrl } },
    token: { path: "/token", body: client },
  });
  const token: credentials.OidcToken = {
    ...credentials.readPair(answer),
    region,
    start_url: startUrl,
    oauth_flow: "DeviceCode",
    scopes: SCOPES,
  };
  context.database().setAuth(credentials.OIDC_TOKEN, token);
}

/** Stored before anybody approves anything: this row does not mean "signed in". */
async function register(context: Context, region: string): Promise<credentials.Registration> {
  const answer = await context.network.post({
    host: `oidc.${region}.amazonaws.com`,
    path: "/client/register",
    body: { clientName: "Kiro CLI", clientType: "public", scopes: SCOPES },
  });
  if (answer.status !== 200) throw new CommandFailure(describeError(answer));
  const secondsLeft = Number(answer.body["clientSecretExpiresAt"]) - Date.now() / 1000;
  const registration: credentials.Registration = {
    client_id: String(answer.body["clientId"]),
    client_secret: String(answer.body["clientSecret"]),
    client_secret_expires_at: credentials.expiryAfter(secondsLeft),
    region,
    oauth_flow: "DeviceCode",
    scopes: SCOPES,
  };
  context.database().setAuth(credentials.OIDC_REGISTRATION, registration);
  return registration;
}

async function loginWithSocial(context: Context, provider: "Google" | "Github"): Promise<void> {
  const answer = await runDeviceFlow(context, {
    host: credentials.SOCIAL_HOST,
    start: {
      path: "/oauth/device/authorization",
      body: { clientId: "kiro-cli", loginProvider: provider },
    },
    token: { path: "/oauth/token", body: { clientId: "kiro-cli" } },
  });
  const token: credentials.SocialToken = {
    ...credentials.readPair(answer),
    profile_arn: null,
    provider,
  };
  context.database().setAuth(credentials.SOCIAL_TOKEN, token);
}

async function chooseProfile(context: Context): Promise<void> {
  const session = await credentials.loadCredentials(context);
  if (session === undefined) throw new QuietExit(1);
  const answer = await context.network.post({
    host: "codewhisperer.us-east-1.amazonaws.com",
    path: "/listAvailableProfiles",
    headers: credentials.authorisation(session),
  });
  const profiles = (answer.body["profiles"] ?? []) as { arn: string; profileName: string }[];
  const isSeveral = profiles.length > 1;
  const index = isSeveral
    ? await select({
        prompt: "Select an IAM Identity Center profile",
        rows: profiles.map(({ arn, profileName }) => `${profileName} (arn: ${arn})`),
        cancelled: "No profile selected",
      })
    : 0;
  const chosen = profiles[index];
  if (chosen === undefined) throw new CommandFailure("no profiles available");
  context
    .database()
    .setState("api.codewhisperer.profile", { arn: chosen.arn, profile_name: chosen.profileName });
  if (isSeveral) process.stderr.write("Profile set\n");
}
