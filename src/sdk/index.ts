/** What `import … from "cattlegrid"` gives. */
export type { Cattlegrid } from "../client/client.ts";
export { connect, type ConnectOptions } from "../client/connection.ts";
export { runProcess, type FinishedProcess } from "../client/process-run.ts";
export { followReferences, type FollowOptions } from "../client/secret-references.ts";
export type { AttachedTerminal, AttachmentOptions, TerminalBytes } from "../client/terminal.ts";
export type { ErrorCode } from "../errors/codes.ts";
export { CattlegridError } from "../errors/error.ts";
export type { AgentSummary } from "../protocol/agent.ts";
export type { DaemonVersion } from "../protocol/daemon.ts";
export type { EgressRecord } from "../protocol/egress.ts";
export type { EngineEvent } from "../protocol/engine-event.ts";
export type { LoginImport, LoginProfile } from "../protocol/login.ts";
export type { Problem } from "../protocol/problem.ts";
export type { Exec, TerminalEnding } from "../protocol/process.ts";
export type { Sandbox, SandboxCreate, SandboxStart } from "../protocol/sandbox.ts";
export type { StartEvent } from "../protocol/start-event.ts";
export type { Secret, SecretList } from "../protocol/secret.ts";
export type {
  Session,
  SessionCreate,
  SessionEvent,
  TurnCreate,
  TurnEvent,
} from "../protocol/session.ts";
export { API_VERSION } from "../protocol/version.ts";
export { createEngine, type EngineOptions } from "./embedding.ts";
