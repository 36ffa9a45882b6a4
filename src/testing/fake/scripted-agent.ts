import { randomBytes } from "node:crypto";
import { createInterface } from "node:readline";
import type { AgentAdapter, AgentHost } from "../../agent/agent.ts";
import type { FakeProgram, FakeRun } from "./program.ts";

/**
 * What the agent answers to a prompt; a fault that it throws is a turn that failed. It may do with the sandbox what a
 * program can: read and write files, look up names.
 */
export type Script = (prompt: string, run: FakeRun) => string | Promise<string>;

export interface ScriptedAgentOptions {
  /** Default: `scripted`. */
  id?: string;
  /** What policy `agent` opens. Default: none. */
  hosts?: readonly AgentHost[];
}

export interface ScriptedAgent {
  adapter: AgentAdapter;
  /** To be given to the fake provider. */
  programs: Readonly<Record<string, FakeProgram>>;
}

const PROGRAM = "scripted-agent";
const CONVERSATION = "/home/agent/.scripted-agent/conversation";
const BANNER = "Scripted agent (a fake): every line is a prompt; `exit` ends.";

/** An agent that does what a function says, in sandboxes of the fake provider. */
export function createScriptedAgent(
  script: Script,
  { id = "scripted", hosts = [] }: ScriptedAgentOptions = {},
): ScriptedAgent {
  const answer = async (prompt: string, run: FakeRun): Promise<number> => {
    run.output.write(`${await script(prompt, run)}\n`);
    return 0;
  };
  const program: FakeProgram = async (run) => {
    const [, verb, ...rest] = run.argv;
    if (verb === undefined) return converse(run, answer);
    if (verb === "conversation") return tellConversation(run);
    if (verb === "begin") {
      run.files.write(CONVERSATION, `conversation-${randomBytes(4).toString("hex")}`);
    }
    return answer(rest.join(" "), run);
  };
  return { adapter: describe(id, hosts), programs: { [PROGRAM]: program } };
}

async function converse(
  run: FakeRun,
  answer: (prompt: string, run: FakeRun) => Promise<number>,
): Promise<number> {
  run.output.write(`${BANNER}\n`);
  for await (const line of createInterface({ input: run.input, terminal: false })) {
    if (line.trim() === "exit") break;
    if (line.trim() !== "") await answer(line.trim(), run);
  }
  return 0;
}

function tellConversation({ files, output }: FakeRun): number {
  output.write(files.read(CONVERSATION) ?? "");
  return 0;
}

function describe(id: string, hosts: readonly AgentHost[]): AgentAdapter {
  return {
    id,
    title: "Scripted agent (a fake)",
    command: [PROGRAM],
    hosts,
    environment: {},
    credentials: [],
    standaloneWords: [],
    locations: { configuration: [], signIn: [], conversations: [] },
    modelEndpoint: { kind: "none" },
    turns: {
      checkPrompt: () => undefined,
      canResume: () => true,
      command: ({ prompt, resume }) => ({ argv: [PROGRAM, resume ? "resume" : "begin", prompt] }),
      judge({ exitCode, stdout, stderr }) {
        const answer = stdout.toString("utf8").trimEnd();
        if (exitCode !== 0) return { outcome: "failed", reason: stderr.toString().trim(), answer };
        if (answer === "") return { outcome: "unknown", reason: "it said nothing", answer };
        return { outcome: "succeeded", answer };
      },
      conversation: {
        command: [PROGRAM, "conversation"],
        readId: ({ stdout }) => stdout.trim() || undefined,
      },
      versionNotice: () => undefined,
    },
  };
}
