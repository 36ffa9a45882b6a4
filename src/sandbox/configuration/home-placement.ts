import { CattlegridError } from "../../errors/error.ts";
import { readTar } from "../../platform/tar/tar-reader.ts";
import { endEntry, endTar, writeHeader } from "../../platform/tar/tar-writer.ts";
import type { ProcessEnding, SandboxProcess } from "../process.ts";
import type { RunningSandbox } from "../provider.ts";
import type { HomeFile, HomePlan } from "./home-plan.ts";
import { PLACEMENT_SCRIPT } from "./placement-script.ts";

const READ_BYTES_MAX = 16 * 1024 * 1024;
const MESSAGE_BYTES_MAX = 4096;
const EXIT_OVERRIDDEN = 5;
/** Exit statuses from here on say that a signal ended a program. */
const SIGNALLED = 128;

export interface Placement {
  running: RunningSandbox;
  /** Below the home: files, and directories with all that is in them. */
  reads: readonly string[];
  /** A directory inside in which no file may hold this text. */
  guard?: { directory: string; text: string };
  plan(home: ReadonlyMap<string, HomeFile>): HomePlan;
  signal: AbortSignal;
}

/**
 * Reads what lies in a home, asks `plan` what is to be there, and makes it so, each file at once as a whole: one process
 * inside, as the agent's user, that follows no link in the home. Throws AGENT_CONFIGURATION_FAILED, and
 * WORKSPACE_OVERRIDES_TEMPLATE when the guard is broken.
 */
export async function placeFiles(placement: Placement): Promise<void> {
  const { running, reads, guard, plan, signal } = placement;
  const { directory = "", text = "" } = guard ?? {};
  const argv = ["sh", "-c", PLACEMENT_SCRIPT, "sh", directory, text, ...reads];
  const process = await running.exec({ argv }, signal);
  const kill = (): void => void process.kill();
  signal.addEventListener("abort", kill, { once: true });
  if (signal.aborted) kill();
  try {
    process.input.on("error", () => process.input.destroy());
    const said = readMessage(process);
    const conversation = converse(process, plan);
    // It would wait for an answer that does not come, or go on sending what nobody reads.
    conversation.catch(kill);
    const [placed, ending] = await Promise.allSettled([conversation, process.ended]);
    signal.throwIfAborted();
    if (ending.status === "fulfilled" && isItsOwn(ending.value)) {
      throw describeFailure(ending.value, await said);
    }
    if (placed.status === "rejected") throw placed.reason;
    if (ending.status === "fulfilled" && !isExit(ending.value, 0)) {
      throw describeFailure(ending.value, await said);
    }
  } finally {
    signal.removeEventListener("abort", kill);
    await process.kill();
  }
}

async function converse(process: SandboxProcess, plan: Placement["plan"]): Promise<void> {
  const home = await readHome(process);
  process.input.end(encode(plan(home)));
  process.output.resume();
}

/** SECURITY: the home may be in whosever hands; of what it sends, plain files of a bounded size are kept. */
async function readHome(process: SandboxProcess): Promise<ReadonlyMap<string, HomeFile>> {
  const files = new Map<string, HomeFile>();
  let sizeBytes = 0;
  const output = process.output.iterator({ destroyOnReturn: false });
  for await (const { entry, content } of readTar(output)) {
    if (entry.type !== "file") continue;
    sizeBytes += entry.sizeBytes;
    if (sizeBytes > READ_BYTES_MAX) {
      const message = `What lies in the home where the template's files go has more than ${READ_BYTES_MAX} bytes.`;
      throw new CattlegridError("AGENT_CONFIGURATION_FAILED", message);
    }
    const parts: Buffer[] = [];
    for await (const part of content) parts.push(Buffer.from(part));
    const path = Buffer.from(entry.name, "latin1").toString("utf8").replace(/^\.\//, "");
    files.set(path, { content: Buffer.concat(parts), mode: entry.mode & 0o777 });
  }
  return files;
}

/** A list of what to do, and the contents by their numbers. */
function encode({ writes, removals }: HomePlan): Buffer {
  if (writes.length + removals.length === 0) return Buffer.from("done\n");
  const lines = [
    ...removals.map((path) => `remove 0 ${path}`),
    ...writes.map(({ path }, index) => `place ${index} ${path}`),
  ];
  const list = Buffer.from(lines.map((line) => `${line}\n`).join(""), "utf8");
  const entries = [
    encodeFile("list", { content: list, mode: 0o600 }),
    ...writes.map((file, index) => encodeFile(String(index), file)),
  ];
  return Buffer.concat([Buffer.from("write\n"), ...entries, endTar()]);
}

function encodeFile(name: string, { content, mode }: HomeFile): Buffer {
  const facts = { mode, sizeBytes: content.length, modifiedSeconds: 0, target: "" };
  return Buffer.concat([
    writeHeader({ name, type: "file", ...facts }),
    content,
    endEntry(content.length),
  ]);
}

async function readMessage({ errors }: SandboxProcess): Promise<string> {
  let text = "";
  if (errors === undefined) return text;
  for await (const bytes of errors) {
    if (text.length < MESSAGE_BYTES_MAX) text += String(bytes);
  }
  return text.trim();
}

function describeFailure(ending: ProcessEnding, said: string): CattlegridError {
  if (ending.kind === "lost") {
    return new CattlegridError("SANDBOX_LOST", `The sandbox was lost: ${ending.reason}.`);
  }
  if (ending.code === EXIT_OVERRIDDEN) {
    const message = `${said} takes the place of what the template says to the agent.`;
    return new CattlegridError("WORKSPACE_OVERRIDES_TEMPLATE", message);
  }
  const message = `What the template says could not be put into the home directory: ${said}`;
  return new CattlegridError("AGENT_CONFIGURATION_FAILED", message);
}

/** A failure that the script tells of, and not what came of our ending it. */
function isItsOwn(ending: ProcessEnding): boolean {
  if (ending.kind === "lost") return true;
  return ending.kind === "exited" && ending.code > 0 && ending.code < SIGNALLED;
}

function isExit(ending: ProcessEnding, code: number): boolean {
  return ending.kind === "exited" && ending.code === code;
}
