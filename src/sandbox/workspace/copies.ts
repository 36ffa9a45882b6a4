import { lstatSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { ChangedTree } from "../../changes/changed-tree.ts";
import { CopiedTree } from "../../changes/copied/copied-tree.ts";
import {
  describeFetched,
  leaveOut,
  planFetch,
  receiveContents,
} from "../../changes/copied/fetching.ts";
import { parseInventory, type Inventory } from "../../changes/copied/inventory.ts";
import {
  CopyRecords,
  type Fetched,
  type Sent,
  type SentEntry,
} from "../../changes/copied/records.ts";
import { packChanges } from "../../changes/copied/packing.ts";
import type { Tree } from "../../changes/tree.ts";
import { asCattlegridError, CattlegridError } from "../../errors/error.ts";
import { hasErrno } from "../../platform/native/libc.ts";
import type { SandboxRow } from "../../store/sandbox-rows.ts";
import { packFiles, type Packed, type PackedEntry } from "../../workspace/outgoing/archive.ts";
import {
  describeOutgoing,
  selectOutgoing,
  type Outgoing,
} from "../../workspace/outgoing/selection.ts";
import { CopiedWorkspace } from "./copied-workspace.ts";
import { authorOf } from "./commit-author.ts";
import type { StartContext } from "../life/lifecycle.ts";
import type { RunningSandbox } from "../provider.ts";

const FETCH_TIMEOUT_MS = 10 * 60_000;

const NOTHING_SENT: Sent = { version: 1, begunAtNs: "0", entries: {} };

type SendContext = Pick<StartContext, "signal" | "report">;

/**
 * Copies of workspaces in sandboxes that do not share this machine's files: what was sent, and what came back, below the state
 * directory. What came back stays whatever becomes of the sandbox.
 */
export class Copies {
  readonly #directory: string;

  constructor(stateDirectory: string) {
    this.#directory = join(stateDirectory, "copies");
  }

  records(id: string): CopyRecords {
    return new CopyRecords(join(this.#directory, id));
  }

  /**
   * Gives a sandbox its copy, unless it has it: the user's files, and over them what an earlier one of it had changed. Throws
   * WORKSPACE_TOO_LARGE, WORKSPACE_NOT_SENT; then it has none.
   */
  async send(row: SandboxRow, running: RunningSandbox, context: SendContext): Promise<void> {
    const records = this.records(row.id);
    const inside = new CopiedWorkspace(running, context.signal);
    const earlier = records.readSent();
    if (earlier !== undefined && !(await inside.isEmpty())) {
      records.isFetched = false;
      return;
    }
    const fetched = records.readFetched();
    const keepsChanges = Object.keys(fetched.entries).length + fetched.gone.length > 0;
    const begunAtNs =
      keepsChanges && earlier !== undefined ? earlier.begunAtNs : markNow(records.directory);
    const workspace = pathOf(row);
    const include = row.specification.include ?? [];
    const outgoing = await selectOutgoing({ workspace, include, signal: context.signal });
    context.report({ type: "notice", text: describeOutgoing(workspace, outgoing) });
    try {
      await inside.clear();
      const sent = await fill(inside, { row, outgoing, earlier, fetched, begunAtNs }, context);
      for (const archive of packChanges(fetched, records.contents)) await inside.put(archive);
      records.writeSent(sent);
      records.isFetched = false;
    } catch (error) {
      if (context.signal.aborted) throw error;
      const { message } = asCattlegridError(error);
      throw new CattlegridError("WORKSPACE_NOT_SENT", `The workspace was not sent: ${message}`, {
        cause: error,
      });
    }
  }

  /** Brings what changed in the copy since the last time. Throws CHANGES_UNREACHABLE; what came before then stays. */
  async fetch(row: SandboxRow, running: RunningSandbox, signal: AbortSignal): Promise<void> {
    const records = this.records(row.id);
    const sent = records.readSent();
    if (sent === undefined) return;
    const limited = AbortSignal.any([signal, AbortSignal.timeout(FETCH_TIMEOUT_MS)]);
    const inside = new CopiedWorkspace(running, limited);
    const inventory = await look(inside, sent);
    if (inventory.entries.size === 0 && (await inside.isEmpty())) throw lost(row);
    const before = records.readFetched();
    const plan = planFetch(inventory, sent, before);
    const options = { contents: records.contents, signal: limited };
    const hashes =
      plan.wanted.size === 0
        ? new Map<string, string>()
        : await inside.get([...plan.wanted.keys()], (archive) =>
            receiveContents(archive, plan.wanted, options),
          );
    records.writeFetched(describeFetched(plan, hashes, { sent, fetched: before }));
  }

  /** What came back, as it is compared with the workspace; nothing for a sandbox that was never given its copy. */
  open(id: string): { begunAtNs: bigint; openChanged(host: Tree): ChangedTree } {
    const records = this.records(id);
    const sent = records.readSent() ?? NOTHING_SENT;
    const fetched = records.readFetched();
    const { contents } = records;
    return {
      begunAtNs: BigInt(sent.begunAtNs),
      openChanged: (host) => new CopiedTree({ sent, fetched, contents, host }),
    };
  }

  /** Drops what came back; the next start sends the user's files anew. */
  discard(id: string): void {
    this.records(id).remove();
  }

  /** Removes those of sandboxes that are not there any more. */
  async reap(keep: ReadonlySet<string>): Promise<void> {
    for (const id of await listDirectory(this.#directory)) {
      if (!keep.has(id)) this.discard(id);
    }
  }
}

/** Whether the sandbox has a copy of its workspace, on files of its own. */
export function isCopied({ specification }: SandboxRow): boolean {
  return specification.workspace?.files === "copied";
}

interface Filling {
  row: SandboxRow;
  outgoing: Outgoing;
  earlier: Sent | undefined;
  fetched: Fetched;
  begunAtNs: string;
}

async function fill(
  inside: CopiedWorkspace,
  { row, outgoing, earlier, fetched, begunAtNs }: Filling,
  { signal, report }: SendContext,
): Promise<Sent> {
  const gone = new Set(fetched.gone);
  const packed: Packed = { entries: new Map(), leftBehind: [] };
  const files = outgoing.files.filter(({ path }) => !gone.has(path));
  const workspace = pathOf(row);
  for await (const archive of packFiles({ workspace, files, signal }, packed)) {
    await inside.put(archive);
  }
  for (const { path, why } of packed.leftBehind) {
    report({ type: "notice", text: `Not sent: ${JSON.stringify(path)} ${why}.` });
  }
  const why = await inside.makeRepository(authorOf(row), `The files of ${row.name} as they came`);
  if (why !== undefined) report({ type: "notice", text: `No git repository inside: ${why}.` });
  const inventory = parseInventory(await inside.list([]));
  const goneFiles = outgoing.files.filter(({ path }) => gone.has(path));
  const entries = describeAll(packed, inventory, goneFiles);
  // A change was made to what the file was before, which is what later ones are compared with.
  for (const path of Object.keys(fetched.entries)) {
    const [now, then] = [entries[path], earlier?.entries[path]];
    if (now !== undefined && then?.hash !== undefined) entries[path] = { ...now, hash: then.hash };
  }
  return { version: 1, begunAtNs, entries };
}

function describeAll(
  packed: Packed,
  inventory: Inventory,
  gone: Outgoing["files"],
): Record<string, SentEntry> {
  const entries: Record<string, SentEntry> = {};
  for (const [path, entry] of packed.entries) {
    entries[path] = describeSent(entry, inventory.entries.get(path));
  }
  for (const { path, entry } of gone) entries[path] = describeSent(withKind(entry), undefined);
  return entries;
}

/** Of a file that is gone inside, and so is not sent again. */
function withKind({ kind, mode }: { kind: string; mode: number }): PackedEntry {
  return { kind: kind === "link" ? "link" : "file", mode: mode & 0o777 };
}

function describeSent(
  { kind, mode, hash }: PackedEntry,
  inside: { mode: number; stamp: string } | undefined,
): SentEntry {
  return {
    kind,
    mode,
    insideMode: inside?.mode ?? mode,
    stamp: inside?.stamp ?? "",
    ...(hash === undefined ? {} : { hash }),
  };
}

/** What is there, without what git ignores in there and was never sent. */
async function look(inside: CopiedWorkspace, sent: Sent): Promise<Inventory> {
  const given = Object.keys(sent.entries);
  const holdsGiven = new Set(given.flatMap((path) => [path, ...prefixesOf(path)]));
  const ignored = (await inside.listIgnored()).filter(
    (path) => !holdsGiven.has(path.replace(/\/$/, "")),
  );
  const directories = ignored.filter((path) => path.endsWith("/"));
  const isIgnored = new Set(ignored.map((path) => path.replace(/\/$/, "")));
  const inventory = parseInventory(await inside.list(directories));
  return leaveOut(
    inventory,
    (path) => isIgnored.has(path) || prefixesOf(path).some((prefix) => isIgnored.has(prefix)),
  );
}

function prefixesOf(path: string): readonly string[] {
  const components = path.split("/").slice(0, -1);
  return components.map((_, index) => components.slice(0, index + 1).join("/"));
}

/** The time by the clock that stamps changes of files. */
function markNow(directory: string): string {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const file = join(directory, "begun");
  rmSync(file, { force: true });
  writeFileSync(file, "");
  return String(lstatSync(file, { bigint: true }).mtimeNs);
}

function pathOf({ specification: { workspace } }: SandboxRow): string {
  if (workspace !== null) return workspace.path;
  throw new CattlegridError("INTERNAL", "a copy of no workspace");
}

function lost({ name }: SandboxRow): CattlegridError {
  const message = `The workspace of ${name} is empty inside: its files were lost. What was fetched of it before is kept.`;
  return new CattlegridError("CHANGES_UNREACHABLE", message);
}

async function listDirectory(path: string): Promise<readonly string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return [];
    throw error;
  }
}
