import { readAllowEntry } from "../../egress/policy/policy-entry.ts";
import {
  readYamlFile,
  type YamlFile,
  type YamlForm,
  type YamlPath,
} from "../../platform/yaml-file.ts";
import type {
  AgentAdapter,
  AgentHost,
  AgentInstallation,
  AgentSignIn,
  LoginWatcher,
  ModelEndpoint,
} from "../agent.ts";
import { npmInstallation } from "../npm-installation.ts";
import { toPlainText } from "../plain-text.ts";
import { writeFilesScript } from "../settings-files.ts";
import { createFileTurns } from "./file-turns.ts";
import { adapterFileSchema, type AdapterDocument, type SignInDocument } from "./schema.ts";
import { findInLines, readPattern } from "./text-pattern.ts";

const FORM: YamlForm<typeof adapterFileSchema> = {
  schema: adapterFileSchema,
  code: "AGENT_FILE_INVALID",
  kind: "an agent's file",
  noAliases: "Write the value out in each place.",
  ifEmpty: "Write at least `title` and `command`.",
  contents: "See docs/agents/own.md for what an agent's file holds.",
};
const PROGRAM_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;
/** SECURITY: a constant text; the program's name is an argument of it. */
const ASK_VERSION = 'PATH="$HOME/.local/bin:$PATH"; exec "$1" --version';
const BYTES_PER_MEGABYTE = 1_000_000;
const LOGIN_CHARACTERS_MAX = 64 * 1024;

/**
 * The agent that a file describes; `id` comes from the file's name. Throws AGENT_FILE_INVALID with file, line, column and
 * the fix.
 */
export function readAdapterFile(file: { path: string; text: string }, id: string): AgentAdapter {
  const read = readYamlFile(file, FORM);
  const { value: document } = read;
  checkHosts(read, document.hosts, ["hosts"]);
  if (document.install !== undefined && "script" in document.install) {
    checkHosts(read, document.install.hosts, ["install", "hosts"]);
  }
  const { title, command, hosts, environment, credentials, standaloneWords } = document;
  const { acp, locations, install, signIn, turns } = document;
  return {
    id,
    title,
    command,
    hosts,
    environment,
    credentials,
    standaloneWords,
    locations,
    modelEndpoint: readModelEndpoint(document.modelEndpoint),
    ...(acp === undefined ? {} : { acp }),
    ...(install === undefined ? {} : { install: readInstallation(read, install) }),
    ...(signIn === undefined ? {} : { signIn: readSignIn(signIn, locations.signIn) }),
    ...(turns === undefined ? {} : { turns: createFileTurns(title, turns) }),
  };
}

/** SECURITY: a host of an agent becomes a rule of the default policy, so it is held to what any rule is held to. */
function checkHosts(file: YamlFile<unknown>, hosts: readonly AgentHost[], path: YamlPath): void {
  for (const [index, { host, port, reason }] of hosts.entries()) {
    const entry = { host, reason, ...(port === undefined ? {} : { ports: port }) };
    const reading = readAllowEntry(entry, "agent");
    if (!reading.ok) throw file.failAt([...path, index, "host"], reading);
  }
}

function readModelEndpoint(document: AdapterDocument["modelEndpoint"]): ModelEndpoint {
  if (document === undefined) return { kind: "none" };
  return "variable" in document ? { kind: "env", ...document } : { kind: "config", ...document };
}

function readInstallation(
  file: YamlFile<AdapterDocument>,
  install: NonNullable<AdapterDocument["install"]>,
): AgentInstallation {
  const [program = ""] = file.value.command;
  if ("npm" in install) {
    const { package: name, version, prints, diskMegabytes, files } = install.npm;
    // SECURITY: the name becomes part of a script.
    if (!PROGRAM_NAME.test(program)) {
      const fix = "Name it as the package does, such as `command: [tool]`.";
      throw file.failAt(["command", 0], { problem: "npm installs no such program", fix });
    }
    const diskBytes = diskMegabytes * BYTES_PER_MEGABYTE;
    const versionPattern = toVersionPattern(prints);
    return npmInstallation({ name, version, program, diskBytes, files, versionPattern });
  }
  const { script, version, check, prints, hosts, needs, diskMegabytes, files } = install;
  const versionPattern = toVersionPattern(prints);
  return {
    script: `${script}\n${writeFilesScript(files)}`,
    version,
    hosts,
    needs: ["bash", ...needs],
    diskBytes: diskMegabytes * BYTES_PER_MEGABYTE,
    check: check ?? ["bash", "-c", ASK_VERSION, "check", program],
    readVersion: ({ exitCode, stdout, stderr }) =>
      exitCode === 0 ? versionPattern.exec(stdout + stderr)?.[1] : undefined,
    settings: [],
  };
}

/** The text around the version as it stands, and in its place numbers with dots. */
function toVersionPattern(prints: string): RegExp {
  const { before, after } = readPattern(prints, "version");
  const escape = (text: string): string => text.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`);
  return new RegExp(String.raw`${escape(before)}v?(\d+(?:\.\d+)*)${escape(after)}`);
}

function readSignIn(document: SignInDocument, files: readonly string[]): AgentSignIn {
  const { whoami, account, login } = document;
  return {
    whoami,
    readAccount({ exitCode, stdout }) {
      if (exitCode !== 0) return undefined;
      const text = toPlainText(stdout);
      return account === undefined
        ? text.trim().split("\n")[0] || "somebody"
        : findInLines(text, readPattern(account, "account"));
    },
    login,
    environment: {},
    watchLogin: () => watchLogin(document),
    files,
  };
}

/** Tells the code, and the address where the file says how it is printed, from what the login writes. */
function watchLogin({ url, code }: SignInDocument): LoginWatcher {
  const decoder = new TextDecoder();
  let written = "";
  let told = "";
  return {
    push(bytes) {
      if (code === undefined) return undefined;
      written = (written + decoder.decode(bytes, { stream: true })).slice(-LOGIN_CHARACTERS_MAX);
      // A line that has no end yet may hold half a code.
      const lines = toPlainText(written).split("\n").slice(0, -1).join("\n");
      const found = findInLines(lines, readPattern(code, "code"));
      if (found === undefined) return undefined;
      const address = url && findInLines(lines, readPattern(url, "url"));
      const next = JSON.stringify([found, address]);
      if (next === told) return undefined;
      told = next;
      return { code: found, url: address ?? null };
    },
  };
}
