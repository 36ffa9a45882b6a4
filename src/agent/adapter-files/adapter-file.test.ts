import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { CattlegridError } from "../../errors/error.ts";
import type { AgentAdapter } from "../agent.ts";
import { readAdapterFile } from "./adapter-file.ts";

const read = (text: string): AgentAdapter => readAdapterFile({ path: "my.yaml", text }, "my");
const fails = (text: string): { message: string; hint: string; code: string } => {
  try {
    read(text);
  } catch (error) {
    if (error instanceof CattlegridError) return error;
  }
  throw new Error("it was taken");
};

const LEAST = "title: Mine\ncommand: [mine, --yes]\n";

describe("the file of an agent", () => {
  test("needs a title and a command, and all else is nothing", () => {
    expect(read(LEAST)).toEqual({
      id: "my",
      title: "Mine",
      command: ["mine", "--yes"],
      hosts: [],
      environment: {},
      credentials: [],
      standaloneWords: ["--version", "--help"],
      locations: { configuration: [], signIn: [], conversations: [] },
      modelEndpoint: { kind: "none" },
    });
  });

  test.each([
    ["nothing at all", "", "my.yaml:1:1: the file holds no agent's file"],
    ["a key nobody knows", `${LEAST}comand: [x]\n`, "my.yaml:3:1: the file: Unrecognized key"],
    ["a command that is a text", "title: Mine\ncommand: mine\n", "my.yaml:2:1: command:"],
    ["a host without a reason", `${LEAST}hosts: [{host: a.example}]\n`, "my.yaml:3:9: hosts.0"],
    [
      "a host that is half the world",
      `${LEAST}hosts:\n  - {host: "*.com", reason: all}\n`,
      "my.yaml:4:6:",
    ],
    [
      "an installer's host that is half the world",
      `${LEAST}install:\n  script: x\n  version: "1.0"\n  hosts: [{host: "**.com", reason: all}]\n`,
      "my.yaml:6:",
    ],
    [
      "a version that YAML takes for a number",
      `${LEAST}install:\n  script: x\n  version: 1.0\n`,
      "my.yaml:5:3: install.version",
    ],
    ["an alias", `${LEAST}hosts: &h []\nenvironment: *h\n`, "my.yaml:4:14: an agent's file has no"],
    [
      "a path that leaves the home",
      `${LEAST}locations: {signIn: [../x]}\n`,
      "my.yaml:3:22: locations.signIn.0",
    ],
    [
      "a package that is shell text",
      `${LEAST}install: {npm: {package: "a; id", version: "1.0.0"}}\n`,
      "my.yaml:3:17: install.npm.package",
    ],
    [
      "a program that is shell text",
      `title: x\ncommand: ["$(id)"]\ninstall: {npm: {package: a, version: "1.0.0"}}\n`,
      "my.yaml:2:11: npm installs no such program",
    ],
    [
      "a text without its hole",
      `${LEAST}signIn: {whoami: [a], login: [b], account: "Hello"}\n`,
      "my.yaml:3:35: signIn.account",
    ],
  ])("with %s is refused, with the place and what to do", (_title, text, place) => {
    const { message, hint, code } = fails(text);
    expect(message).toContain(place);
    expect(code).toBe("AGENT_FILE_INVALID");
    expect(hint).not.toBe("");
  });

  test("of the page is read as it stands there", () => {
    const page = readFileSync(join(import.meta.dirname, "../../../docs/agents/own.md"), "utf8");
    const files = [...page.matchAll(/^```yaml\n(.*?)^```/gms)].map(([, text = ""]) => read(text));
    expect(files.map(({ title }) => title)).toEqual(["pi", "From a script", "Signs in"]);
    expect(files[0]).toMatchObject({ install: { version: "0.73.1" }, turns: {} });
    expect(files[2]).toMatchObject({
      acp: ["--acp"],
      modelEndpoint: { kind: "env", variable: "MINI_BASE_URL", protocol: "openai-chat" },
    });
  });
});

describe("an installer in a file", () => {
  const { install } = read(
    `${LEAST}install:\n  version: "1.4"\n  script: echo "$1"\n  prints: "mine v{version}, stable"\n`,
  );

  test.each([
    ["mine v1.4, stable\n", 0, "1.4"],
    ["noise\nmine v1.4, stable\n", 0, "1.4"],
    ["mine v1.4, beta\n", 0, undefined],
    ["mine v1.4, stable\n", 1, undefined],
  ])("reads the version from %j with status %s as %s", (stdout, exitCode, version) => {
    expect(install?.readVersion({ stdout, stderr: "", exitCode })).toBe(version);
  });
});

describe("a sign-in in a file", () => {
  const { signIn } = read(
    `${LEAST}locations: {signIn: [.mine/key]}\nsignIn:\n  whoami: [mine, whoami]\n  account: "as {account}."\n  login: [mine, login]\n  url: "Open {url}"\n  code: "Code: {code}"\n`,
  );

  test("tells the account, and nobody when the line or the status says otherwise", () => {
    const ask = (stdout: string, exitCode = 0) =>
      signIn?.readAccount({ stdout, stderr: "", exitCode });
    expect(ask("Signed in as ada@example.com.\n")).toBe("ada@example.com");
    expect(ask("Signed in as ada@example.com.\n", 1)).toBeUndefined();
    expect(ask("Not signed in\n")).toBeUndefined();
    expect(signIn?.files).toEqual([".mine/key"]);
  });

  test("tells code and address once, when their lines are whole, however they come", () => {
    const watcher = signIn?.watchLogin();
    const text = "Open https://a.example/d\r\nCode: \u001B[1mAB-CD\u001B[0m\r\nwaiting\r\n";
    const told = [...Buffer.from(text)].flatMap((byte) => watcher?.push(Uint8Array.of(byte)) ?? []);
    expect(told).toEqual([{ code: "AB-CD", url: "https://a.example/d" }]);
  });
});
