import type { ParsedArguments } from "./arguments.ts";
import { reportTelemetry } from "./context.ts";
import type { Context } from "./context.ts";
import * as credentials from "./credentials.ts";
import type { Credentials } from "./credentials.ts";
import { CommandFailure, QuietExit } from "./failure.ts";
import { DispatchFailure } from "./network.ts";

export async function whoami(context: Context, options: ParsedArguments): Promise<void> {
  const format = options.value("format") ?? "plain";
  const session = await credentials.loadCredentials(context);
  if (session === undefined) {
    process.stdout.write(format === "plain" ? "Not logged in\n" : '{"account":null}\n');
    throw new QuietExit(1);
  }
  if (session.kind === "key") return showKey(context, { session, format });
  const email = await findEmail(context, session);
  const account = describeAccount(session, email);
  if (format === "plain") process.stdout.write(account.plain);
  else process.stdout.write(`${JSON.stringify(account.json)}\n`);
  if (account.hasProfile) process.stdout.write(describeProfile(context));
}

export async function logout(context: Context): Promise<void> {
  credentials.forgetCredentials(context);
  process.stderr.write("You are now logged out\nRun kiro-cli login to log back in to Kiro CLI\n");
  await reportTelemetry(context, "logout");
}

export async function showProfile(context: Context): Promise<void> {
  const session = await credentials.loadCredentials(context);
  if (session === undefined) {
    throw new CommandFailure("You are not logged in, please log in with kiro-cli login");
  }
  if (session.kind !== "oidc" || isBuilderId(session.token)) {
    throw new CommandFailure(
      "This command is only available for IAM Identity Center or External IdP users",
    );
  }
  process.stdout.write(describeProfile(context));
}

interface Account {
  plain: string;
  json: Record<string, unknown>;
  hasProfile: boolean;
}

function describeAccount(
  session: Exclude<Credentials, { kind: "key" }>,
  email: string | null,
): Account {
  const emailLine = email === null ? "" : `Email: ${email}\n`;
  if (session.kind === "social") {
    const name = session.token.provider === "Google" ? "Google" : "GitHub";
    return {
      plain: `Logged in with ${name}\n${emailLine}`,
      json: { accountType: `Social${session.token.provider}`, email, region: null, startUrl: null },
      hasProfile: false,
    };
  }
  const { region, start_url: startUrl } = session.token;
  if (isBuilderId(session.token)) {
    return {
      plain: `Logged in with Builder ID\n${emailLine}`,
      json: { accountType: "BuilderId", email, region, startUrl },
      hasProfile: false,
    };
  }
  return {
    plain: `Logged in with IAM Identity Center (${startUrl})\n`,
    json: { accountType: "IamIdentityCenter", email, region, startUrl },
    hasProfile: true,
  };
}

function isBuilderId(token: credentials.OidcToken): boolean {
  return token.start_url === credentials.BUILDER_ID_START_URL;
}

/** Follows on stdout even after JSON: callers must read the first value only. */
function describeProfile(context: Context): string {
  const profile = context.database().state("api.codewhisperer.profile") as
    | { arn: string; profile_name: string }
    | undefined;
  if (profile === undefined) return "";
  return `\nProfile:\n${profile.profile_name}\n${profile.arn}\n`;
}

async function findEmail(context: Context, session: Credentials): Promise<string | null> {
  if (session.kind !== "social" && !context.profile.showsEmail) return null;
  try {
    const { body } = await context.network.post({
      host: "codewhisperer.us-east-1.amazonaws.com",
      path: "/getUsageLimits",
      headers: credentials.authorisation(session),
    });
    return (body["userInfo"] as { email?: string } | undefined)?.email ?? null;
  } catch (error) {
    if (error instanceof DispatchFailure) return null;
    throw error;
  }
}

/** The status for an invalid key is not on record; 1 is the simulator's choice. */
async function showKey(
  context: Context,
  { session, format }: { session: Credentials; format: string },
): Promise<void> {
  if (!(await isKeyValid(context, session))) {
    process.stderr.write("Authentication failed. The API key was not accepted.\n");
    throw new QuietExit(1);
  }
  const json = { accountType: "ApiKey", email: null, region: null, startUrl: null };
  process.stdout.write(
    format === "plain" ? "Authenticated with API key\n" : `${JSON.stringify(json)}\n`,
  );
}

export async function isKeyValid(context: Context, session: Credentials): Promise<boolean> {
  const { status } = await context.network.post({
    host: "codewhisperer.us-east-1.amazonaws.com",
    path: "/getUsageLimits",
    headers: credentials.authorisation(session),
  });
  return status === 200;
}
