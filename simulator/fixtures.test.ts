import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createRig } from "./rig.ts";
import type { Rig } from "./rig.ts";

const FOLDER = join(import.meta.dirname, "..", "test", "fixtures", "kiro");

interface Transcript {
  name: string;
  exitCode: number | null;
  section: string;
  evidence: string;
  invented: readonly string[];
}

const { transcripts } = JSON.parse(readFileSync(join(FOLDER, "index.json"), "utf8")) as {
  transcripts: readonly Transcript[];
};

function read(name: string): string {
  return readFileSync(join(FOLDER, name), "utf8");
}

test("every transcript has its two files and its source, and no file is without one", () => {
  const named = transcripts.flatMap(({ name }) => [`${name}.stderr`, `${name}.stdout`]);
  expect(readdirSync(FOLDER).toSorted()).toEqual([...named, "index.json"].toSorted());
  for (const { section, evidence } of transcripts) expect(section && evidence).not.toBe("");
});

/** What differs from run to run: amounts, times and random names. */
function settle(text: string): string {
  return text
    .replace(/Credits: [\d.]+ • Time: \w+/g, "Credits: 0.06 • Time: 4s")
    .replace(/reset(s?) on \d\d\/01/g, "reset$1 on 12/01")
    .replace(/\(\d+\.\d\d of 50/g, "(0.06 of 50")
    .replace(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, "3f0c0000-0000-4000-8000-000000000000")
    .replace(/\d+ (?:second|minute)s? ago/g, "2 minutes ago");
}

const TRUSTING = ["chat", "--no-interactive", "--trust-all-tools"];

interface Scene {
  words: readonly string[];
  environment?: Readonly<Record<string, string>>;
  signedOut?: boolean;
  before?: (rig: Rig) => Promise<unknown>;
}

const SCENES: Readonly<Record<string, Scene>> = {
  "turn-success-v1": { words: [...TRUSTING, "say: Red\\nBlue\\nYellow"] },
  "rate-limit": { words: [...TRUSTING, "fail: rate-limit"] },
  overloaded: { words: [...TRUSTING, "fail: disconnect"] },
  "model-unavailable": { words: [...TRUSTING, "fail: model-unavailable"] },
  "monthly-limit": { words: [...TRUSTING, "fail: monthly-limit"] },
  "expired-session": { words: [...TRUSTING, "fail: expired-session"] },
  "untrusted-tool": {
    words: ["chat", "--no-interactive", "run: ls\nsay: I could not run that command."],
  },
  "untrusted-tool-ancestor": {
    words: ["chat", "--no-interactive", "run: ls"],
    environment: { FAKE_KIRO_UNTRUSTED: "exit" },
  },
  "invalid-key": {
    words: ["chat", "--no-interactive", "hello"],
    environment: { KIRO_API_KEY: "ksk_wrong" },
    signedOut: true,
  },
  "no-credentials-browser": { words: ["chat", "--no-interactive", "hello"], signedOut: true },
  "no-credentials-refused": {
    words: ["chat", "--no-interactive", "hello"],
    environment: { FAKE_KIRO_NO_CREDENTIALS: "refuse" },
    signedOut: true,
  },
  "no-prompt": { words: ["chat", "--no-interactive"] },
  "usage-error": { words: ["chat", "--bogus"] },
  "stream-json-on-v1": { words: ["chat", "--output-format", "stream-json", "hello"] },
  "login-browser-missing": { words: ["login"], signedOut: true },
  "login-already": { words: ["login"] },
  "whoami-signed-out": { words: ["whoami"], signedOut: true },
  "whoami-signed-out-json": { words: ["whoami", "--format", "json"], signedOut: true },
  "whoami-builder-id": { words: ["whoami"] },
  "whoami-builder-id-email": {
    words: ["whoami"],
    environment: { FAKE_KIRO_WHOAMI_EMAIL: "1" },
  },
  "whoami-builder-id-json": { words: ["whoami", "-f", "json"] },
  "whoami-key": {
    words: ["whoami"],
    environment: { KIRO_API_KEY: "ksk_simulated" },
    signedOut: true,
  },
  "whoami-key-invalid": {
    words: ["whoami"],
    environment: { KIRO_API_KEY: "ksk_wrong" },
    signedOut: true,
  },
  logout: { words: ["logout"] },
  version: { words: ["--version"] },
  "list-sessions": {
    words: ["chat", "--list-sessions"],
    before: (rig) => rig.run(["chat", "--no-interactive", "Remember my name is Ada"]),
  },
  "list-sessions-empty": { words: ["chat", "--list-sessions"] },
  "list-models": { words: ["chat", "--list-models"] },
  usage: {
    words: ["chat", "--no-interactive", "/usage"],
    before: (rig) => rig.run(["chat", "--no-interactive", "say: hello"]),
  },
};

test.for(Object.entries(SCENES))("the stand-in repeats %s byte for byte", async ([name, scene]) => {
  await using rig = await createRig();
  if (scene.signedOut !== true) await rig.signIn();
  await scene.before?.(rig);
  const { environment = {} } = scene;
  const finished = await rig.run(scene.words, { environment });
  expect(settle(finished.stdout)).toBe(settle(read(`${name}.stdout`)));
  expect(settle(finished.stderr)).toBe(settle(read(`${name}.stderr`)));
  expect(finished.exitCode).toBe(transcripts.find((entry) => entry.name === name)?.exitCode);
});
