import { readFile } from "node:fs/promises";
import { parse, resolve } from "node:path";
import { CattlegridError } from "../../errors/error.ts";
import type { AgentList, AgentSummary } from "../../protocol/agent.ts";
import { renderAgent, renderAgents } from "../agent-view.ts";
import { usage } from "../arguments.ts";
import { tell } from "../caller.ts";
import { JSON_FLAG } from "../creation/creation-flags.ts";
import { defineVerb, type VerbContext } from "../verb.ts";

export const AGENTS = defineVerb({
  verb: "agents",
  usage:
    "[ls] [--json]\n       cattlegrid agents show AGENT [--json]\n       cattlegrid agents add FILE\n       cattlegrid agents rm AGENT",
  description:
    "Lists the agents, or shows one: its command, the hosts it may reach and why, the variables that are\n" +
    "its credentials, where it keeps its files, and how it is sent to another model. `add` brings an agent of\n" +
    "your own from a file AGENT.yaml, which is checked first; added again, it is replaced.",
  example: "cattlegrid agents ls --json",
  operands: {
    min: 0,
    max: 2,
    names: "ls, show AGENT, add FILE, or rm AGENT",
    suggest: [["ls", "show", "add", "rm"], "agent"],
  },
  trailing: "none",
  flags: JSON_FLAG,
  async run({ flags, operands: [action = "ls", operand] }, context) {
    const asJson = flags.json === true;
    if (action === "ls" && operand === undefined) return list(asJson, context);
    if (action === "show" && operand !== undefined) return show(operand, asJson, context);
    if (action === "add" && operand !== undefined) return add(operand, context);
    if (action === "rm" && operand !== undefined) return remove(operand, context);
    const message =
      "`agents` is used as `agents ls`, `agents show AGENT`, `agents add FILE` or `agents rm AGENT`.";
    throw usage("agents", message);
  },
});

async function list(asJson: boolean, { api, caller }: VerbContext): Promise<number> {
  const found = await api.get<AgentList>("/v1/agents");
  // An older daemon knows of no files.
  const { agents, broken = [] } = found;
  const { output } = caller;
  output.write(asJson ? `${JSON.stringify(found, undefined, 2)}\n` : renderAgents(agents));
  if (!asJson) for (const { message, hint } of broken) tell(caller, `${message}. ${hint}`);
  return 0;
}

async function show(id: string, asJson: boolean, { api, caller }: VerbContext): Promise<number> {
  const { agents, broken = [] } = await api.get<AgentList>("/v1/agents");
  const agent = agents.find((each) => each.id === id);
  const wrong = broken.find((each) => each.id === id);
  if (wrong !== undefined) {
    throw new CattlegridError("AGENT_FILE_INVALID", wrong.message, { hint: wrong.hint });
  }
  if (agent === undefined) {
    throw new CattlegridError("AGENT_UNKNOWN", `There is no agent ${id}.`, {
      hint: `There are ${agents.map((each) => each.id).join(", ")}.`,
    });
  }
  caller.output.write(asJson ? `${JSON.stringify(agent, undefined, 2)}\n` : renderAgent(agent));
  return 0;
}

async function add(file: string, { api, caller }: VerbContext): Promise<number> {
  const path = resolve(caller.directory, file);
  const { name, ext } = parse(path);
  if (ext !== ".yaml") {
    throw usage("agents", `An agent's file is called AGENT.yaml, and not ${name + ext}.`);
  }
  const text = await readText(path);
  const agent = await api.put<AgentSummary>(`/v1/agents/${encodeURIComponent(name)}`, {
    path,
    text,
  });
  tell(caller, `Added ${agent.id}. Run it with \`cattlegrid run ${agent.id}\`.`);
  return 0;
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === "ENOENT" ? "is not there" : `cannot be read: ${message}`;
    throw new CattlegridError("AGENT_FILE_INVALID", `${path} ${why}.`);
  }
}

async function remove(id: string, { api, caller }: VerbContext): Promise<number> {
  await api.delete(`/v1/agents/${encodeURIComponent(id)}`);
  tell(caller, `Removed ${id}. What it installed goes with \`cattlegrid prune\`.`);
  return 0;
}
