import { findLinkHolds } from "../../airlock/link.ts";
import { toText, TEXT_BYTES_MAX } from "../../changes/text.ts";
import { Tree, type TreeEntry } from "../../changes/tree.ts";
import { CattlegridError } from "../../errors/error.ts";
import { createPace, type Pace } from "../../platform/pace.ts";
import { findCandidates, type Candidates, type CandidatesRequest } from "./candidates.ts";
import { whySecretName } from "./secret-name.ts";

export const SENT_BYTES_MAX = 1024 ** 3;

/** A file or link that is sent. */
export interface OutgoingFile {
  path: string;
  entry: TreeEntry;
}

export interface LeftBehind {
  path: string;
  why: string;
}

/** What a sandbox that has no view of the workspace is sent of it. */
export interface Outgoing {
  kind: Candidates["kind"];
  files: readonly OutgoingFile[];
  /** Of all files. */
  sizeBytes: number;
  /** Would have been sent, but for what is said. */
  leftBehind: readonly LeftBehind[];
  untracked: number;
}

/**
 * Chooses what is sent: what git tracks and what `include` names, or everything where there is no git; never what looks like a secret,
 * unless it is named by its very path. Throws WORKSPACE_TOO_LARGE, GIT_FAILED.
 * SECURITY: what is sent is read by a service and by the agent. So each text is searched for secrets, and no link is followed.
 */
export async function selectOutgoing(request: CandidatesRequest): Promise<Outgoing> {
  using opened = new DisposableStack();
  const host = opened.adopt(new Tree(request.workspace), (tree) => tree.close());
  const pace = createPace(request.signal);
  const candidates = await findCandidates(request, host, pace);
  const named = new Set(request.include.map((pattern) => pattern.replace(/^\.\//, "")));
  const files: OutgoingFile[] = [];
  const leftBehind: LeftBehind[] = candidates.undecodable.map((path) => ({
    path,
    why: "its name is not UTF-8",
  }));
  let sizeBytes = 0;
  for (const path of candidates.paths) {
    await pace.next();
    const entry = host.look(path);
    // Deleted in the working tree, or below a link: there is nothing to send.
    if (entry === undefined) continue;
    const why = await whyLeft({ path, entry }, { host, named, pace });
    if (why !== undefined) {
      leftBehind.push({ path, why });
      continue;
    }
    files.push({ path, entry });
    sizeBytes += entry.kind === "file" ? entry.size : 0;
    if (sizeBytes > SENT_BYTES_MAX) throw tooLarge(files);
  }
  return { kind: candidates.kind, files, sizeBytes, leftBehind, untracked: candidates.untracked };
}

async function whyLeft(
  { path, entry }: OutgoingFile,
  { host, named, pace }: { host: Tree; named: ReadonlySet<string>; pace: Pace },
): Promise<string | undefined> {
  if (entry.kind === "other") return "is a socket, a pipe or a device";
  // A submodule that is not checked out.
  if (entry.kind === "directory") return "is a directory where git knows a file";
  if (entry.kind === "link") return whyLinkLeft(path, entry);
  if (!host.withFile(path, () => true)) return "may not be read";
  if (named.has(path)) return undefined;
  const byName = whySecretName(path);
  if (byName !== undefined) return byName;
  await pace.next();
  return whySecretContent(path, host.read(path, TEXT_BYTES_MAX));
}

function whyLinkLeft(path: string, { target = "/" }: TreeEntry): string | undefined {
  return findLinkHolds(path.split("/"), target)[0]?.reason;
}

/** Why a file's content keeps it here. Undefined for what is no text, or too large to be one that somebody wrote. */
export async function whySecretContent(
  path: string,
  content: Buffer | undefined,
): Promise<string | undefined> {
  const text = toText(content);
  if (text === undefined || text === "") return undefined;
  // Loaded when first used: the rules are 200 KiB of patterns.
  const { findSecrets } = await import("../../airlock/secret.ts");
  return (await findSecrets(path, text))[0]?.reason;
}

function tooLarge(files: readonly OutgoingFile[]): CattlegridError {
  const largest = files.toSorted((one, other) => other.entry.size - one.entry.size).slice(0, 3);
  const named = largest.map(({ path, entry }) => `${JSON.stringify(path)} (${entry.size} bytes)`);
  const message = `The workspace's files have more than ${SENT_BYTES_MAX} bytes, and all of them would be sent; the largest: ${named.join(", ")}.`;
  return new CattlegridError("WORKSPACE_TOO_LARGE", message);
}

/** What a person is told before anything is sent. */
export function describeOutgoing(workspace: string, outgoing: Outgoing): string {
  const { kind, files, sizeBytes, leftBehind, untracked } = outgoing;
  const size = `${files.length} ${files.length === 1 ? "file" : "files"}, ${sizeBytes} bytes`;
  const what =
    kind === "repository"
      ? `what git tracks of ${workspace}`
      : `all of ${workspace}, as it is no git repository`;
  const sentences = [`Sending ${what}: ${size}.`];
  if (untracked > 0) {
    sentences.push(`Not sent: ${untracked} untracked file(s); --include PATTERN sends them.`);
  }
  const shown = leftBehind.slice(0, LEFT_SHOWN_MAX);
  for (const { path, why } of shown) sentences.push(`Not sent: ${JSON.stringify(path)} ${why}.`);
  const hidden = leftBehind.length - shown.length;
  if (hidden > 0) sentences.push(`Not sent: ${hidden} more.`);
  return sentences.join(" ");
}

const LEFT_SHOWN_MAX = 10;
