import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

/** As much of Daytona's TypeScript SDK as the tests here call; it is installed apart, so its own types are not at hand. */
export interface Sdk {
  Daytona: new (config: { apiKey: string; apiUrl: string; target?: string }) => SdkClient;
}

export interface SdkClient extends AsyncDisposable {
  create(
    parameters?: object,
    options?: { timeout?: number; onSnapshotCreateLogs?(line: string): void },
  ): Promise<SdkSandbox>;
  get(idOrName: string): Promise<SdkSandbox>;
  list(query?: object): AsyncIterable<SdkSandbox>;
  snapshot: {
    list(
      page?: number,
      limit?: number,
    ): Promise<{ items: { name: string; state: string }[]; total: number }>;
    get(name: string): Promise<{ id: string; name: string; state: string }>;
    create(parameters: object): Promise<{ id: string; name: string; state: string }>;
    activate(snapshot: string): Promise<{ state: string }>;
    delete(snapshot: string): Promise<void>;
  };
}

export interface SdkSandbox {
  id: string;
  name: string;
  state: string;
  errorReason?: string;
  labels: Record<string, string>;
  env?: Record<string, string>;
  cpu: number;
  memory: number;
  disk: number;
  autoStopInterval: number;
  autoDeleteInterval: number;
  networkBlockAll?: boolean;
  domainAllowList?: string;
  process: SdkProcess;
  fs: SdkFiles;
  start(timeout?: number): Promise<void>;
  stop(timeout?: number, force?: boolean): Promise<void>;
  delete(timeout?: number, wait?: boolean): Promise<void>;
  archive(): Promise<void>;
  pause(): Promise<void>;
  resize(resources: object): Promise<void>;
  fork(parameters?: { name?: string }): Promise<SdkSandbox>;
  createSnapshot(name: string): Promise<void>;
  refreshData(): Promise<void>;
  refreshActivity(): Promise<void>;
  waitUntilStarted(timeout?: number): Promise<void>;
  setLabels(labels: Record<string, string>): Promise<Record<string, string>>;
  setAutostopInterval(minutes: number): Promise<void>;
  setAutoArchiveInterval(minutes: number): Promise<void>;
  setAutoDeleteInterval(minutes: number): Promise<void>;
  setTtl(minutes: number): Promise<void>;
  updateEnv(set: Record<string, string>, options?: { unset?: string[] }): Promise<void>;
  updateNetworkSettings(settings: object): Promise<void>;
  getUserHomeDir(): Promise<string>;
  getWorkDir(): Promise<string>;
  getPreviewLink(port: number): Promise<{ url: string; token: string }>;
  getSignedPreviewUrl(port: number, seconds?: number): Promise<{ url: string; token: string }>;
  expireSignedPreviewUrl(port: number, token: string): Promise<void>;
  downloadUrl(path: string, seconds?: number): Promise<string>;
  uploadUrl(path: string, seconds?: number): Promise<string>;
  rotateSigningKey(): Promise<void>;
}

export interface SdkProcess {
  executeCommand(
    command: string,
    ...how: [cwd?: string, env?: Record<string, string>, timeoutSeconds?: number]
  ): Promise<{ exitCode: number; result: string }>;
  codeRun(
    code: string,
    parameters?: { argv?: string[] },
  ): Promise<{ exitCode: number; result: string }>;
  createPty(options: {
    id: string;
    cols?: number;
    rows?: number;
    cwd?: string;
    envs?: Record<string, string>;
    onData(bytes: Uint8Array): void;
  }): Promise<SdkTerminal>;
  connectPty(id: string, options: { onData(bytes: Uint8Array): void }): Promise<SdkTerminal>;
  listPtySessions(): Promise<{ id: string; active: boolean }[]>;
  getPtySessionInfo(id: string): Promise<{ id: string; cols: number; rows: number }>;
  killPtySession(id: string): Promise<void>;
  createSession(id: string): Promise<void>;
  getSession(id: string): Promise<{ sessionId: string; commands: object[] }>;
  listSessions(): Promise<{ sessionId: string }[]>;
  deleteSession(id: string): Promise<void>;
  executeSessionCommand(
    id: string,
    request: { command: string; runAsync?: boolean },
  ): Promise<SdkSessionCommand>;
  getSessionCommand(id: string, command: string): Promise<{ id: string; exitCode?: number }>;
  getSessionCommandLogs(id: string, command: string): Promise<{ stdout: string; stderr: string }>;
  getSessionCommandLogs(
    id: string,
    command: string,
    ...callbacks: [onStdout: (text: string) => void, onStderr: (text: string) => void]
  ): Promise<void>;
  sendSessionCommandInput(id: string, command: string, data: string): Promise<void>;
}

export interface SdkSessionCommand {
  cmdId: string;
  exitCode?: number | null;
  stdout: string;
  stderr: string;
}

export interface SdkTerminal {
  readonly exitCode: number | undefined;
  readonly error: string | undefined;
  isConnected(): boolean;
  sendInput(data: string | Uint8Array): Promise<void>;
  resize(columns: number, rows: number): Promise<{ cols: number; rows: number }>;
  wait(): Promise<{ exitCode: number | undefined; error?: string }>;
  kill(): Promise<void>;
  disconnect(): Promise<void>;
}

export interface SdkFiles {
  uploadFile(source: Buffer | string, destination: string): Promise<void>;
  uploadFiles(files: { source: Buffer | string; destination: string }[]): Promise<void>;
  downloadFile(path: string): Promise<Buffer>;
  downloadFiles(
    files: { source: string }[],
  ): Promise<{ source: string; result?: Buffer; error?: string }[]>;
  listFiles(
    path: string,
    options?: { depth?: number },
  ): Promise<{ name: string; isDir: boolean; size: number }[]>;
  getFileDetails(path: string): Promise<{ name: string; permissions: string; size: number }>;
  createFolder(path: string, mode: string): Promise<void>;
  moveFiles(source: string, destination: string): Promise<void>;
  deleteFile(path: string, recursive?: boolean): Promise<void>;
  findFiles(path: string, text: string): Promise<{ file: string; line: number; content: string }[]>;
  searchFiles(path: string, pattern: string): Promise<{ files: string[] }>;
  replaceInFiles(files: string[], pattern: string, value: string): Promise<{ success: boolean }[]>;
  setFilePermissions(path: string, wanted: { mode?: string }): Promise<void>;
}

/** What a refused call of the SDK throws. */
export interface SdkError extends Error {
  statusCode?: number;
  code?: string;
  source?: string;
}

/** One at a time, for tests run side by side; the copy of the lock file says what is installed. */
const INSTALL = `flock package.json sh -c '
  cmp -s package-lock.json node_modules/.installed && exit 0
  npm ci --ignore-scripts --no-audit --no-fund --loglevel=error &&
  cp package-lock.json node_modules/.installed'`;

/** Installs the SDK beside this file, when it is not there as the lock file has it, and loads it. */
export async function loadSdk(): Promise<Sdk> {
  const cwd = import.meta.dirname;
  const { status, stderr } = spawnSync("sh", ["-c", INSTALL], { cwd, encoding: "utf8" });
  if (status !== 0) throw new Error(`Daytona's SDK cannot be installed: ${stderr}`);
  const entry = join(cwd, "node_modules/@daytona/sdk/esm/index.js");
  return (await import(pathToFileURL(entry).href)) as Sdk;
}

/** The error of a call that is to fail: its class, as the SDK chose it, and what came over the wire. */
export async function failure(
  call: Promise<unknown>,
): Promise<{ name: string } & Partial<SdkError>> {
  try {
    await call;
  } catch (error) {
    const { name, message, statusCode, code, source } = error as SdkError;
    return { name, message, statusCode, code, source } as { name: string } & Partial<SdkError>;
  }
  throw new Error("the call succeeded");
}
