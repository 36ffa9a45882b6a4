import type { AgentSignIn, CommandResult } from "../../agent.ts";
import { isSignInRefused } from "./complaints.ts";
import { watchLogin } from "./login-watcher.ts";
import { toPlainText } from "../../plain-text.ts";

const ACCOUNT_CHARACTERS_MAX = 200;

const DEVICE_LOGIN = ["kiro-cli", "login", "--use-device-flow"];

export const signIn: AgentSignIn = {
  whoami: ["kiro-cli", "whoami"],
  readAccount,
  login: DEVICE_LOGIN,
  // Kiro shows both prompts all the same, filled in: Enter confirms each.
  loginToDirectory: ({ startUrl, region }) => [
    ...DEVICE_LOGIN,
    "--license=pro",
    `--identity-provider=${startUrl}`,
    `--region=${region}`,
  ],
  // Only a session that looks remote gets the address printed beside the code.
  environment: { SSH_TTY: "/dev/pts/0" },
  watchLogin,
  isRefused: ({ stdout, stderr }) =>
    isSignInRefused(`${toPlainText(stderr)}\n${toPlainText(stdout)}`),
  files: [
    ".local/share/kiro-cli/data.sqlite3",
    // What the database has not taken in yet.
    ".local/share/kiro-cli/data.sqlite3-wal",
  ],
};

/** The exit status decides; of the text only the first line, or the first JSON value, is believed. */
export function readAccount({ exitCode, stdout, stderr }: CommandResult): string | undefined {
  if (exitCode !== 0) return undefined;
  const text = toPlainText(stdout).trim();
  if (/Authentication failed\./.test(text + toPlainText(stderr))) return undefined;
  const lines = text.split("\n").map((line) => line.trim());
  const first = lines[0] ?? "";
  if (first.startsWith("{")) return readJsonAccount(first);
  if (first === "" || first.startsWith("Not logged in")) return undefined;
  const email = lines.find((line) => line.startsWith("Email: "))?.slice("Email: ".length);
  return describeAccount(first.replace(/^Logged in with /, ""), email);
}

function readJsonAccount(line: string): string | undefined {
  const value = parseObject(line);
  const type = value?.["accountType"];
  if (typeof type !== "string") return undefined;
  const email = value?.["email"];
  return describeAccount(type, typeof email === "string" ? email : undefined);
}

function parseObject(line: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function describeAccount(method: string, email: string | undefined): string {
  const account = email === undefined ? method : `${method}, ${email}`;
  return account.slice(0, ACCOUNT_CHARACTERS_MAX);
}
