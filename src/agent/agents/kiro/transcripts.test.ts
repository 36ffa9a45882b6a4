import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { judge } from "./judgement.ts";
import { watchLogin } from "./login-watcher.ts";
import { readAccount } from "./sign-in.ts";
import { turns } from "./turns.ts";
import { readVersion } from "./versions.ts";

const DIRECTORY = join(import.meta.dirname, "../../../../test/fixtures/kiro");

interface Transcript {
  name: string;
  version: string;
  exitCode: number | null;
  outcome?: "succeeded" | "failed" | "unknown";
}

const index = JSON.parse(readFileSync(join(DIRECTORY, "index.json"), "utf8")) as {
  transcripts: Transcript[];
};

function read(name: string): { stdout: Buffer; stderr: Buffer } {
  const file = (stream: string): Buffer => readFileSync(join(DIRECTORY, `${name}.${stream}`));
  return { stdout: file("stdout"), stderr: file("stderr") };
}

function find(name: string): Transcript {
  const found = index.transcripts.find((each) => each.name === name);
  if (found === undefined) throw new Error(`no transcript ${name}`);
  return found;
}

function run(name: string): { exitCode: number; stdout: string; stderr: string } {
  const { stdout, stderr } = read(name);
  return {
    exitCode: find(name).exitCode ?? 137,
    stdout: stdout.toString(),
    stderr: stderr.toString(),
  };
}

const judged = index.transcripts.filter(({ outcome }) => outcome !== undefined);

describe("a recorded turn is judged as its record says:", () => {
  test.each(judged.map((each) => [each.name, each.outcome, each] as const))(
    "%s %s",
    (name, outcome, { exitCode, version }) => {
      expect(judge({ exitCode, version, options: {}, ...read(name) })).toMatchObject({ outcome });
    },
  );

  test("there are records of every outcome", () => {
    const outcomes = new Set(judged.map(({ outcome }) => outcome));
    expect(outcomes).toEqual(new Set(["failed", "succeeded", "unknown"]));
  });

  test("with every outcome the same when the streams are cut off anywhere, but for success", () => {
    const { stdout, stderr } = read("turn-success-v1");
    for (let cut = 0; cut < stderr.length; cut++) {
      const part = { stdout, stderr: stderr.subarray(0, cut) };
      const whole = /Time: \S/.test(part.stderr.toString());
      expect(judge({ exitCode: 0, version: "2.21.2", options: {}, ...part }).outcome).toBe(
        whole ? "succeeded" : "unknown",
      );
    }
  });
});

describe("recorded answers to whoami", () => {
  test.each([
    ["whoami-signed-out", undefined],
    ["whoami-signed-out-json", undefined],
    ["whoami-key-invalid", undefined],
    ["whoami-builder-id", "Builder ID"],
    ["whoami-builder-id-email", /^Builder ID, \S+@\S+$/],
    ["whoami-builder-id-json", /^BuilderId/],
    ["whoami-google", /^Google, \S+@\S+$/],
    ["whoami-identity-center", /^IAM Identity Center \(https:/],
    ["whoami-identity-center-json", /^IamIdentityCenter/],
    ["whoami-key", "Authenticated with API key"],
  ])("%s: %s", (name, account) => {
    const found = readAccount(run(name));
    expect(account instanceof RegExp ? account.test(found ?? "") : found === account).toBe(true);
  });
});

describe("recorded logins", () => {
  test.each(["login-device-success", "login-device-no-url", "login-expired"])(
    "tell code and address, byte by byte: %s",
    (name) => {
      const watcher = watchLogin();
      // A terminal sends CR LF where the program wrote LF.
      const bytes = Buffer.from(read(name).stdout.toString().replaceAll(/\r?\n/g, "\r\n"));
      const told = [...bytes].flatMap((byte) => watcher.push(Uint8Array.of(byte)) ?? []);
      expect(told.length).toBe(1);
      expect(told[0]?.url).toBe(
        `https://view.awsapps.com/start/#/device?user_code=${told[0]?.code}`,
      );
    },
  );

  test.each(["login-browser-missing", "login-already", "login-no-method"])(
    "that give no code tell none: %s",
    (name) => {
      expect(watchLogin().push(read(name).stdout)).toBeUndefined();
    },
  );
});

test("the recorded version is read", () => {
  expect(readVersion(run("version").stdout)).toBe(find("version").version);
});

test("the newest of the recorded conversations is read, and none of an empty list", () => {
  expect(turns.conversation?.readId(run("list-sessions"))).toMatch(/^[0-9a-f-]{36}$/);
  expect(turns.conversation?.readId(run("list-sessions-empty"))).toBeUndefined();
});
