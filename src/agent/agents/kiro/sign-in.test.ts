import { expect, test } from "vitest";
import { readAccount, signIn } from "./sign-in.ts";

const IDENTITY_CENTER = "\n\nProfile:\nteam\narn:aws:codewhisperer:us-east-1:1:profile/X\n";

const cases: [string, number, string, string | undefined][] = [
  ["not signed in", 1, "Not logged in\n", undefined],
  ["not signed in, JSON", 1, '{"account":null}\n', undefined],
  ["not signed in whatever the status says", 0, "Not logged in\n", undefined],
  ["no account in JSON, status 0", 0, '{"account":null}\n', undefined],
  ["an account with a failing status", 1, "Logged in with Builder ID\n", undefined],
  ["nothing printed", 0, "", undefined],
  ["Builder ID", 0, "Logged in with Builder ID\n", "Builder ID"],
  ["a newer Builder ID", 0, "Logged in with Builder ID\nEmail: a@b.c\n", "Builder ID, a@b.c"],
  [
    "Google, coloured",
    0,
    "\u001B[1mLogged in with Google\u001B[0m\nEmail: a@b.c\n",
    "Google, a@b.c",
  ],
  [
    "Identity Center with its profile block",
    0,
    `Logged in with IAM Identity Center (https://d-1.awsapps.com/start)${IDENTITY_CENTER}`,
    "IAM Identity Center (https://d-1.awsapps.com/start)",
  ],
  [
    "JSON followed by the profile block",
    0,
    `{"accountType":"IamIdentityCenter","email":null,"region":"eu-west-1"}${IDENTITY_CENTER}`,
    "IamIdentityCenter",
  ],
  ["a valid API key", 0, "Authenticated with API key\n", "Authenticated with API key"],
  ["an invalid API key", 0, "Authentication failed. Check the key.\n", undefined],
  ["JSON that is cut off", 0, '{"accountType":"Bui', undefined],
];

test.each(cases)("whoami: %s", (...[, exitCode, stdout, account]) => {
  expect(readAccount({ exitCode, stdout, stderr: "" })).toBe(account);
});

test("an invalid key may also be told on stderr", () => {
  const stderr = "Authentication failed.\n";
  expect(readAccount({ exitCode: 0, stdout: "", stderr })).toBeUndefined();
});

test("the login counts as remote, so that the address is printed", () => {
  expect(signIn.login).toContain("--use-device-flow");
  expect(signIn.environment).toHaveProperty("SSH_TTY");
});
