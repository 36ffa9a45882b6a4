import type { WebSocket } from "ws";
import { matchPath, type Answer } from "./exchange.ts";
import type { RequestFault, TerminalFault } from "./faults.ts";
import { toLogged, type FrontOptions } from "./front.ts";
import {
  accept,
  EXIT_CONTROL,
  readEnvironment,
  readUpgrade,
  refuseUpgrade,
  type Handshake,
  type UpgradeCall,
} from "./handshake.ts";
import { Refusal } from "./refusal.ts";
import { beginActivity, openToolbox } from "./routing.ts";
import type { FakeSandbox } from "./sandbox.ts";
import type { Service } from "./service.ts";
import { tellStates } from "./state-events.ts";
import { followLogs } from "./toolbox/log-socket.ts";
import { commandOf } from "./toolbox/session-routes.ts";
import { makeTerminal } from "./toolbox/terminal-making.ts";

/** What a socket becomes once it is a WebSocket. */
interface Upgrade {
  /** Kept active while the socket is open. */
  sandbox?: FakeSandbox;
  fault?: TerminalFault | undefined;
  serve(socket: WebSocket): void | Promise<void>;
}

/** Makes a WebSocket of a connection, or refuses it with an HTTP answer. */
export async function serveUpgrade(front: FrontOptions, handshake: Handshake): Promise<void> {
  const { service, log } = front;
  const { socket, message } = handshake;
  socket.on("error", () => socket.destroy());
  const call = readUpgrade(message);
  const logged = toLogged(call);
  log.add(logged);
  const fault = service.faults.nextForRequest(call);
  if (fault?.kind === "silence") return;
  if (fault?.kind === "reset" || fault?.kind === "reset-after") return void socket.destroy();
  if (fault?.kind === "delay") await fault.until;
  const { upgrade, answer } = decide(front, call, fault);
  logged.status = answer?.status ?? 101;
  if (upgrade === undefined) {
    refuseUpgrade(socket, answer);
    return log.answered();
  }
  const accepted = await accept(handshake, call, upgrade.fault);
  log.answered();
  await serveSocket(service, upgrade, { socket: accepted, call });
}

async function serveSocket(
  service: Service,
  { sandbox, serve }: Upgrade,
  { socket, call }: { socket: WebSocket; call: UpgradeCall },
): Promise<void> {
  socket.on("error", () => socket.terminate());
  if (sandbox !== undefined) socket.once("close", beginActivity(service, sandbox, call.headers));
  await serve(socket);
}

type Decision = { upgrade: Upgrade; answer?: undefined } | { upgrade?: undefined; answer: Answer };

function decide(
  { service, key }: FrontOptions,
  call: UpgradeCall,
  fault: RequestFault | undefined,
): Decision {
  if (fault?.kind === "answer") return { answer: fault.answer };
  try {
    if (fault?.kind === "refuse") throw fault.refusal;
    return { upgrade: openUpgrade(service, key, call) };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const { method, path } = call;
    const json = error.toJson({ method, path, date: service.clock.date() });
    const { status, headers } = error;
    return { answer: { status, json, headers } };
  }
}

/** Throws what is answered instead. */
function openUpgrade(service: Service, key: string, call: UpgradeCall): Upgrade {
  if (call.path === "/api/socket.io/" && service.tellsStates) {
    return { serve: (socket) => tellStates(service, socket) };
  }
  if (!call.path.startsWith("/toolbox/")) {
    throw new Refusal(["api", 404], `Cannot GET ${call.path}`);
  }
  const { sandbox, operation } = openToolbox(service, key, call);
  if (operation === "/process/pty/create-connect") return createTerminal(service, sandbox, call);
  const attached = matchPath("/process/pty/:id/connect", operation);
  if (attached !== undefined) return attachTerminal(sandbox, attached["id"] ?? "", call);
  const followed = matchPath("/process/session/:id/command/:command/logs", operation);
  if (followed !== undefined) {
    const command = commandOf({ sandbox, parameters: followed });
    return { sandbox, serve: (socket) => followLogs(command, socket) };
  }
  const message = `the fake Daytona serves no WebSocket at ${operation}`;
  throw new Refusal(["daemon", 404], message, { code: "NOT_FOUND" });
}

function createTerminal(service: Service, sandbox: FakeSandbox, call: UpgradeCall): Upgrade {
  const machine = sandbox.running();
  const { query } = call;
  const terminal = makeTerminal(service, sandbox, {
    id: query.get("id") ?? "",
    columns: Number(query.get("cols") ?? 80),
    rows: Number(query.get("rows") ?? 24),
    cwd: query.get("cwd") ?? undefined,
    environment: readEnvironment(call),
    lazyStart: false,
  });
  const { id, fault } = terminal.options;
  return {
    sandbox,
    fault,
    async serve(socket) {
      if (fault?.kind === "error") return failSocket(socket, fault.message);
      try {
        const starting = terminal.start(machine);
        terminal.attach(socket, call.protocols.includes(EXIT_CONTROL));
        await starting;
      } catch (error) {
        sandbox.terminals.delete(id);
        failSocket(socket, error instanceof Error ? error.message : String(error));
      }
    },
  };
}

function attachTerminal(sandbox: FakeSandbox, id: string, call: UpgradeCall): Upgrade {
  const machine = sandbox.running();
  const terminal = sandbox.terminals.get(id);
  return {
    sandbox,
    async serve(socket) {
      if (terminal === undefined) return failSocket(socket, "PTY session not found");
      terminal.attach(socket, call.protocols.includes(EXIT_CONTROL));
      await terminal.start(machine);
    },
  };
}

function failSocket(socket: WebSocket, error: string): void {
  socket.send(JSON.stringify({ type: "control", status: "error", error }));
  socket.close(1011, JSON.stringify({ error }));
}
