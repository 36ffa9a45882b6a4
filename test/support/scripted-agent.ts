import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { AgentAdapter, KeptSignIn } from "../../src/agent/agent.ts";
import { CattlegridError } from "../../src/errors/error.ts";

/** A stand-in for any agent, for tests of what surrounds one: a prompt is shell text that it runs. */
const PROGRAM = `#!/bin/bash
case "$1" in
  --version) echo "tool 1.2.3" ;;
  whoami)
    echo "whoami key=\${TOOL_KEY:-none}" >> "$HOME/calls"
    cat "$HOME/account" 2>/dev/null || cat "$HOME/.tool/account" 2>/dev/null || { echo nobody; exit 1; } ;;
  login)
    printf 'Open a page. Code: ABCD'; printf -- '-EFGH\\n'
    read -r line || exit 1
    if [ "$line" = yes ]; then echo someone > "$HOME/account"; fi ;;
  list) cat "$HOME/conversation" 2>/dev/null ;;
  configure) [ "$2" != unknown ] || { echo "no such setting" >&2; exit 1; } ;;
  talk) shift; eval "$@" ;;
  ask)
    shift
    resumed=no
    if [ "$1" = --resume ]; then resumed=yes; shift; else echo "c$$" > "$HOME/conversation"; fi
    if [ "$1" = -- ]; then prompt=$2; else prompt=$(cat); fi
    eval -- "$prompt" ;;
esac
`;

export function writeScriptedProgram(directory: string): string {
  const program = join(directory, "tool");
  writeFileSync(program, PROGRAM);
  chmodSync(program, 0o755);
  return program;
}

export interface ScriptedAgentOptions {
  program: string;
  /** Shell text of an installer; absent for an agent that needs none. */
  installer?: string;
  needs?: string[];
  /** Default: its sign-in stays where it was made. */
  keptSignIn?: KeptSignIn;
  diskBytes?: number;
}

export function createScriptedAgent(options: ScriptedAgentOptions): AgentAdapter {
  const { program, installer, keptSignIn } = options;
  return {
    id: "tool",
    title: "Tool",
    command: [program, "talk"],
    hosts: [],
    environment: { TOOL_MARK: "1" },
    credentials: ["TOOL_KEY"],
    standaloneWords: ["login", "--version"],
    locations: { configuration: [], signIn: [], conversations: [] },
    modelEndpoint: { kind: "none" },
    ...(keptSignIn === undefined ? {} : { keptSignIn }),
    ...(installer === undefined ? {} : { install: scriptedInstallation(options, installer) }),
    signIn: {
      whoami: [program, "whoami"],
      readAccount: ({ exitCode, stdout }) => (exitCode === 0 ? stdout.trim() : undefined),
      login: [program, "login"],
      environment: {},
      files: ["account"],
      watchLogin() {
        let text = "";
        return {
          push(bytes) {
            text += Buffer.from(bytes).toString();
            const code = /Code: (\S+)\n/.exec(text)?.[1];
            if (code === undefined) return undefined;
            text = "";
            return { code, url: `https://page.example/${code}` };
          },
        };
      },
    },
    turns: {
      checkPrompt(prompt) {
        if (!prompt.startsWith("/")) return;
        throw new CattlegridError("PROMPT_IS_COMMAND", "A prompt of Tool begins with no slash.");
      },
      canResume: (id) => id.startsWith("c"),
      command({ prompt, resume }) {
        const argv = [program, "ask", ...(resume ? ["--resume"] : [])];
        if (prompt.length > 1000) return { argv, inputBytes: Buffer.from(prompt) };
        return { argv: [...argv, "--", prompt] };
      },
      judge({ exitCode, stdout, stderr }) {
        const answer = stdout.toString().trim();
        if (exitCode !== 0) return { outcome: "failed", reason: stderr.toString().trim(), answer };
        if (answer === "") return { outcome: "unknown", reason: "silence", answer };
        return { outcome: "succeeded", answer };
      },
      conversation: {
        command: [program, "list"],
        readId: ({ stdout }) => stdout.trim() || undefined,
      },
      versionNotice: (version) => (version === "1.2.3" ? "This is 1.2.3." : undefined),
    },
  };
}

function scriptedInstallation(
  { program, needs = ["bash"], diskBytes = 1 }: ScriptedAgentOptions,
  script: string,
): NonNullable<AgentAdapter["install"]> {
  return {
    script,
    needs,
    diskBytes,
    check: ["bash", "-c", '[ ! -e "$HOME/broken" ] && exec "$0" --version', program],
    readVersion: ({ exitCode, stdout }) =>
      exitCode === 0 ? /^tool (\S+)/.exec(stdout)?.[1] : undefined,
    settings: [
      [program, "configure", "known"],
      [program, "configure", "unknown"],
    ],
  };
}
