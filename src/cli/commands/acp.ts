import { CattlegridError } from "../../errors/error.ts";
import type { AgentSummary } from "../../protocol/agent.ts";
import type { Sandbox } from "../../protocol/sandbox.ts";
import type { Session, SessionCreate } from "../../protocol/session.ts";
import { AcpFence } from "../acp-fence.ts";
import type { Flags } from "../arguments.ts";
import type { Caller } from "../caller.ts";
import { CREATION_FLAGS, INSTALL_TIMEOUT_FLAG } from "../creation/creation-flags.ts";
import { LineFilter } from "../output/line-filter.ts";
import { ensureRunning, openSandbox } from "../creation/opening.ts";
import { describeBindings } from "../secret/binding-flag.ts";
import { postBound } from "../secret/bound-request.ts";
import { SessionView } from "../chat/session-view.ts";
import { readSettings } from "../settings.ts";
import { defineVerb, type VerbContext } from "../verb.ts";

const FLAGS = { ...CREATION_FLAGS, ...INSTALL_TIMEOUT_FLAG } as const satisfies Flags;

export const ACP = defineVerb({
  verb: "acp",
  usage: "[FLAGS] AGENT [WORKSPACE]",
  description:
    "Speaks the Agent Client Protocol on its streams, for an editor, and hands it to an agent in its sandbox.\n" +
    "The agent works with the files and commands of the sandbox: those of the editor are not offered to it.\n" +
    "Sign in first with `cattlegrid run AGENT`, or pass the agent's key with -e NAME.",
  example: "cattlegrid acp AGENT ~/my-project",
  operands: { min: 1, max: 2, names: "AGENT and WORKSPACE", suggest: ["agent", "directory"] },
  trailing: "none",
  flags: FLAGS,
  async run({ flags, operands }, context) {
    const settings = await readSettings(context.caller);
    const wish = { verb: "acp", operands, flags, settings, asks: false };
    const opened = await openSandbox(wish, context);
    const { sandbox } = opened;
    const spoken = await findProtocol(sandbox, context);
    await ensureRunning(sandbox, { settings, installTimeout: flags["install-timeout"] }, context);
    const { environment, secrets } = opened.given;
    const request: SessionCreate = {
      kind: "interactive",
      arguments: [...spoken],
      argumentRule: "replace",
      environment,
      secrets,
      ...describeBindings(flags.secret),
    };
    const path = `/v1/sandboxes/${sandbox.id}/sessions`;
    const session = await postBound<Session>(path, request, context);
    return follow(session, fence(context.caller, sandbox.workspace?.path ?? "/"), context);
  },
});

async function findProtocol(
  { agent: id }: Sandbox,
  { api }: VerbContext,
): Promise<readonly string[]> {
  const { agents } = await api.get<{ agents: readonly AgentSummary[] }>("/v1/agents");
  const agent = agents.find((each) => each.id === id);
  if (agent?.acp !== undefined) return agent.acp;
  const able = agents.filter(({ acp }) => acp !== undefined).map((each) => each.id);
  throw new CattlegridError("AGENT_COMMAND_INVALID", `${id} does not speak the protocol.`, {
    hint: `These do: ${able.join(", ")}.`,
  });
}

/** The caller's streams with the fence between: what the session reads and writes has passed it. */
function fence(caller: Caller, workspace: string): Caller {
  const rules = new AcpFence(workspace);
  const toAgent: LineFilter = new LineFilter((line) => {
    const { pass, reply } = rules.fromEditor(line);
    if (reply !== undefined) toEditor.push(`${reply}\n`);
    return pass;
  });
  const toEditor: LineFilter = new LineFilter((line) => {
    const { pass, reply } = rules.fromAgent(line);
    if (reply !== undefined) toAgent.push(`${reply}\n`);
    return pass;
  });
  caller.input.pipe(toAgent);
  toEditor.pipe(caller.output);
  return { ...caller, input: asInput(toAgent), output: asOutput(toEditor) };
}

// A session without a terminal uses no more of the caller's streams than any stream has.
const asInput = (stream: LineFilter): Caller["input"] => stream as unknown as Caller["input"];
const asOutput = (stream: LineFilter): Caller["output"] => stream as unknown as Caller["output"];

/** The editor's end of input ends the agent, and with it the session. */
async function follow(session: Session, caller: Caller, context: VerbContext): Promise<number> {
  const { api } = context;
  try {
    const view = new SessionView({ ...context, caller, session, hasTerminal: false });
    const outcome = await view.follow();
    return outcome.kind === "ended" ? outcome.exitCode : 0;
  } finally {
    await api.delete(`/v1/sessions/${session.id}`);
  }
}
