import { json, nothing, readJson } from "../exchange.ts";
import { Refusal } from "../refusal.ts";
import { Session, type SessionCommand } from "./session.ts";
import type { ToolboxCall, ToolboxRoutes } from "./call.ts";

interface RunRequest {
  command: string;
  runAsync: boolean;
  async: boolean;
}

export const SESSION_ROUTES: ToolboxRoutes = {
  "GET /process/session": ({ sandbox }) => {
    sandbox.running();
    return json([...sandbox.sessions.values()].map((session) => session.toInfo()));
  },
  "POST /process/session": async ({ call, sandbox, service: { shell } }) => {
    const machine = sandbox.running();
    const { sessionId = "" } = await readJson<{ sessionId: string }>(call, "daemon");
    if (sessionId === "") throw new Refusal(["daemon", 400], "sessionId is required");
    if (sandbox.sessions.has(sessionId)) {
      throw new Refusal(["daemon", 409], "session already exists", { code: "CONFLICT" });
    }
    sandbox.sessions.set(sessionId, await Session.open(sessionId, machine, shell));
    return nothing(201);
  },
  "GET /process/session/:id": (call) => json(sessionOf(call).toInfo()),
  "DELETE /process/session/:id": async (call) => {
    const session = sessionOf(call);
    call.sandbox.sessions.delete(session.id);
    await session.kill();
    return nothing();
  },
  "POST /process/session/:id/exec": async (call) => {
    const session = sessionOf(call);
    const { command = "", ...how } = await readJson<RunRequest>(call.call, "daemon");
    if (command === "") throw new Refusal(["daemon", 400], "command is required");
    const running = session.run(command);
    if (how.runAsync ?? how.async ?? false) {
      return json({ cmdId: running.id, output: null, exitCode: null }, 202);
    }
    await running.ended();
    return json({ cmdId: running.id, ...toLogs(running), exitCode: running.exitCode });
  },
  "GET /process/session/:id/command/:command": (call) => json(commandOf(call).toInfo()),
  "GET /process/session/:id/command/:command/logs": (call) => json(toLogs(commandOf(call))),
  "POST /process/session/:id/command/:command/input": async (call) => {
    const { data = "" } = await readJson<{ data: string }>(call.call, "daemon");
    await sessionOf(call).input(commandOf(call), data);
    return nothing();
  },
};

function toLogs(command: SessionCommand): object {
  const output = Buffer.concat(command.inOrder.map(({ bytes }) => bytes)).toString();
  return { output, stdout: command.textOf("output"), stderr: command.textOf("errors") };
}

/** Throws 404. */
export function sessionOf({
  sandbox,
  parameters,
}: Pick<ToolboxCall, "sandbox" | "parameters">): Session {
  sandbox.running();
  const session = sandbox.sessions.get(parameters["id"] ?? "");
  if (session !== undefined) return session;
  throw new Refusal(["daemon", 404], "session not found", { code: "NOT_FOUND" });
}

export function commandOf(call: Pick<ToolboxCall, "sandbox" | "parameters">): SessionCommand {
  return sessionOf(call).command(call.parameters["command"] ?? "");
}
