import type { ServerChannel, Session } from "ssh2";
import type { TerminalSize } from "../../protocol/process.ts";
import type { Api } from "../api.ts";
import { ChannelProgram } from "./channel-program.ts";
import { type Asked, describeProgram, isAccepted, readSize } from "./program.ts";

export interface SessionParts {
  api: Api;
  sandbox: string;
  /** Told of each program that begins. */
  onProgram(program: ChannelProgram): void;
}

/**
 * Serves one session: what it says of itself first, then the one program it asks for. SECURITY: forwarding of an agent and of
 * X11 is asked for in a session too; nobody listens for that here, and the library then refuses it.
 */
export function serveSession(session: Session, { api, sandbox, onProgram }: SessionParts): void {
  const environment: Record<string, string> = {};
  let terminal: TerminalSize | undefined;
  let program: ChannelProgram | undefined;
  const start = (accept: () => ServerChannel, asked: Asked): void => {
    // None when the client has closed the session meanwhile, or has a program already.
    const channel = accept() as ServerChannel | undefined;
    if (channel === undefined) return;
    const size = terminal === undefined ? {} : { terminal };
    const described = describeProgram(asked, { environment, ...size });
    program = new ChannelProgram({ api, sandbox, channel, program: described });
    onProgram(program);
  };
  session.on("env", (accept, reject, { key, val }) => {
    if (!isAccepted(key, val)) return reject?.();
    environment[key] = val;
    accept?.();
  });
  session.on("pty", (accept, _reject, info) => {
    terminal = readSize(info);
    const { term } = info as unknown as { term?: unknown };
    if (typeof term === "string" && term !== "") environment["TERM"] = term;
    accept?.();
  });
  session.on("window-change", (_accept, _reject, info) => {
    terminal &&= readSize(info);
    if (terminal !== undefined) program?.resize(terminal);
  });
  session.on("signal", (accept, _reject, { name }) => {
    program?.signal(name);
    accept?.();
  });
  session.on("shell", (accept) => start(accept, { kind: "shell" }));
  session.on("exec", (accept, _reject, { command }) => start(accept, { kind: "command", command }));
  session.on("subsystem", (accept, reject, { name }) => {
    if (name === "sftp") start(accept, { kind: "sftp" });
    else reject?.();
  });
}
