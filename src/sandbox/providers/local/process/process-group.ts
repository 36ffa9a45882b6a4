import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { hasErrno } from "../../../../platform/native/libc.ts";
import { openProcessHandle } from "../../../../platform/native/process-handle.ts";

/** How often the end of killed processes is looked for: there is no event for what is not our child. */
const GONE_POLL_MS = 2;
const GONE_POLL_MS_MAX = 50;
/** What leads to the runtime, the runtime, and the program. */
const DEPTH_MAX = 4;

/** The processes of one exec. */
export interface ProgramGroup {
  /** Sends a signal to the program's own process group and to the one that its terminal's keys reach. */
  signal(name: NodeJS.Signals, foreground: number | undefined): Promise<void>;
  /** Kills the program's whole session and resolves when nothing of it runs. */
  kill(): Promise<void>;
}

/**
 * The processes of one exec, in this process's own numbering: those of its session, which a program leaves only
 * by making a session of its own.
 *
 * SECURITY: a number may be given to another process at any time, on the host too. A process counts as ours
 * only while it is in the sandbox's process namespace, and is signalled through a handle that cannot change its
 * meaning.
 */
interface ProcessGroup {
  group: number;
  session: number;
  namespace: string;
}

/** Finds the program that the runtime started below `clientPid` under its own number for it. */
export function findProcessGroup(clientPid: number, reportedPid: number): ProgramGroup | undefined {
  const pid = findDescendant(clientPid, reportedPid);
  if (pid === undefined) return undefined;
  const namespace = readNamespace(pid);
  const status = readStatus(pid);
  if (namespace === undefined || status === undefined) return undefined;
  const owner = { ...status, namespace };
  return {
    async signal(name, foreground) {
      signalGroups(owner, [owner.group, ...(foreground === undefined ? [] : [foreground])], name);
    },
    kill: () => killSession(owner),
  };
}

/** Sends `signal` to every process of the given groups. */
function signalGroups(
  owner: ProcessGroup,
  groups: readonly number[],
  signal: NodeJS.Signals,
): void {
  for (const pid of listMembers(owner, ({ group }) => groups.includes(group))) {
    sendSignal(owner, pid, signal);
  }
}

/** Kills the whole session and resolves when nothing of it runs. */
async function killSession(owner: ProcessGroup): Promise<void> {
  for (let pauseMs = GONE_POLL_MS; ; pauseMs = Math.min(pauseMs * 2, GONE_POLL_MS_MAX)) {
    const members = listMembers(owner, ({ session }) => session === owner.session);
    if (members.length === 0) return;
    for (const pid of members) sendSignal(owner, pid, "SIGKILL");
    await delay(pauseMs);
  }
}

function sendSignal(owner: ProcessGroup, pid: number, signal: NodeJS.Signals): void {
  const handle = openProcessHandle(pid);
  if (handle === undefined) return;
  try {
    if (readNamespace(pid) === owner.namespace) handle.signal(signal);
  } finally {
    handle.close();
  }
}

interface ProcessStatus {
  group: number;
  session: number;
  isZombie: boolean;
}

function listMembers(
  owner: ProcessGroup,
  isMember: (status: ProcessStatus) => boolean,
): readonly number[] {
  return readdirSync("/proc").flatMap((name) => {
    const pid = Number(name);
    // The namespace tells nearly all of the machine's processes apart, at a quarter of what a status costs.
    if (!Number.isInteger(pid) || readNamespace(pid) !== owner.namespace) return [];
    const status = readStatus(pid);
    return status !== undefined && !status.isZombie && isMember(status) ? [pid] : [];
  });
}

/** The deepest descendant that has this number one process namespace above its own. */
function findDescendant(pid: number, reportedPid: number, depth = 0): number | undefined {
  if (depth === DEPTH_MAX) return undefined;
  for (const child of readChildren(pid)) {
    const found = findDescendant(child, reportedPid, depth + 1);
    if (found !== undefined) return found;
    if (readNumbers(child).at(-2) === reportedPid) return child;
  }
  return undefined;
}

function readChildren(pid: number): readonly number[] {
  const text = readProcess(`/proc/${pid}/task/${pid}/children`) ?? "";
  return text.split(" ").filter(Boolean).map(Number);
}

/** One number for each nested process namespace, this process's own first. */
function readNumbers(pid: number): readonly number[] {
  const status = readProcess(`/proc/${pid}/status`) ?? "";
  return (/^NSpid:\s*(.*)$/m.exec(status)?.[1] ?? "").split(/\s+/).map(Number);
}

function readStatus(pid: number): ProcessStatus | undefined {
  const text = readProcess(`/proc/${pid}/stat`);
  if (text === undefined) return undefined;
  // The program's name, in parentheses, may hold anything.
  const [state, , group, session] = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return { group: Number(group), session: Number(session), isZombie: state === "Z" };
}

function readNamespace(pid: number): string | undefined {
  return unlessGone(() => readlinkSync(`/proc/${pid}/ns/pid`));
}

function readProcess(path: string): string | undefined {
  return unlessGone(() => readFileSync(path, "utf8"));
}

/** Processes end while they are looked at, and those of other users may not be looked at. */
function unlessGone<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ESRCH", "EACCES", "EPERM")) return undefined;
    throw error;
  }
}
