import { json, nothing, readJson } from "../exchange.ts";
import { Refusal } from "../refusal.ts";
import type { FakeSandbox } from "../sandbox.ts";
import type { ToolboxCall, ToolboxRoutes } from "./call.ts";
import { execute, type ExecuteRequest } from "./execution.ts";
import { FILE_ROUTES } from "./file-routes.ts";
import { SESSION_ROUTES } from "./session-routes.ts";
import { checkSize, makeTerminal } from "./terminal-making.ts";

const LANGUAGES: Readonly<Record<string, readonly string[]>> = {
  python: ["python3", "-"],
  javascript: ["node", "-"],
  typescript: ["node", "--input-type=module-typescript", "-"],
};

interface OldTerminalRequest {
  id: string;
  cols: number;
  rows: number;
  cwd: string;
  envs: Record<string, string>;
  lazyStart: boolean;
}

export const TOOLBOX_ROUTES: ToolboxRoutes = {
  "POST /process/execute": async ({ call, sandbox, service: { shell } }) => {
    const machine = sandbox.running();
    const request = await readJson<ExecuteRequest>(call, "daemon");
    return json(await execute(machine, request, { shell, signal: call.signal }));
  },
  "POST /process/code-run": async ({ call, sandbox, service: { shell } }) => {
    const machine = sandbox.running();
    const request = await readJson<{
      code: string;
      language: string;
      argv: string[];
      timeout: number;
    }>(call, "daemon");
    const program = LANGUAGES[request.language ?? "python"];
    if (program === undefined) {
      throw new Refusal(["daemon", 400], `unsupported language: ${request.language}`);
    }
    const words = [...program, ...(request.argv ?? [])].map(quote).join(" ");
    const encoded = Buffer.from(request.code ?? "").toString("base64");
    const command = `printf %s ${encoded} | base64 -d | ${words}`;
    const { timeout } = request;
    const wanted = { command, ...(timeout === undefined ? {} : { timeout }) };
    return json(await execute(machine, wanted, { shell, signal: call.signal }));
  },
  "GET /process/pty": ({ sandbox }) => {
    sandbox.running();
    return json({ sessions: [...sandbox.terminals.values()].map((each) => each.toInfo()) });
  },
  // How terminals were made before `create-connect`.
  "POST /process/pty": async ({ call, sandbox, service }) => {
    const machine = sandbox.running();
    const wish = await readJson<OldTerminalRequest>(call, "daemon");
    const { id = "", cols: columns = 80, rows = 24, envs = {}, cwd, lazyStart = false } = wish;
    const options = { id, columns, rows, cwd, environment: envs, lazyStart };
    const terminal = makeTerminal(service, sandbox, options);
    if (!lazyStart) await terminal.start(machine);
    return json({ sessionId: id }, 201);
  },
  "GET /process/pty/:id": (call) => json(terminalOf(call).toInfo()),
  "DELETE /process/pty/:id": async (call) => {
    await terminalOf(call).kill();
    return json({ message: "PTY session deleted" });
  },
  "POST /process/pty/:id/resize": async (call) => {
    const terminal = terminalOf(call);
    const { cols = 0, rows = 0 } = await readJson<{ cols: number; rows: number }>(
      call.call,
      "daemon",
    );
    checkSize(cols, rows);
    terminal.resize(cols, rows);
    return json(terminal.toInfo());
  },
  "GET /user-home-dir": ({ sandbox }) => json({ dir: sandbox.running().home }),
  "GET /work-dir": ({ sandbox }) => json({ dir: sandbox.running().home }),
  "GET /version": ({ sandbox }) => {
    sandbox.running();
    return json({ version: "v0.0.0-fake" });
  },
  "POST /env": async ({ call, sandbox }) => {
    sandbox.running();
    const { set = {}, unset = [] } = await readJson<{
      set: Record<string, string>;
      unset: string[];
    }>(call, "daemon");
    Object.assign(sandbox.environment, set);
    for (const name of unset) delete sandbox.environment[name];
    return json({});
  },
  "POST /init": () => nothing(200),
  ...SESSION_ROUTES,
  ...FILE_ROUTES,
};

function terminalOf({
  sandbox,
  parameters,
}: ToolboxCall): NonNullable<ReturnType<FakeSandbox["terminals"]["get"]>> {
  sandbox.running();
  const terminal = sandbox.terminals.get(parameters["id"] ?? "");
  if (terminal !== undefined) return terminal;
  throw new Refusal(["daemon", 404], "PTY session not found", { code: "PROCESS_NOT_FOUND" });
}

function quote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
