import { CattlegridError } from "../../errors/error.ts";
import type { Sandbox, SandboxStart } from "../../protocol/sandbox.ts";
import type { StartEvent } from "../../protocol/start-event.ts";
import type { TemplateBuildEvent } from "../../protocol/template-layer.ts";
import { type Api, sandboxPath, toError } from "../api.ts";
import { type Caller, tell } from "../caller.ts";
import { makePrintable } from "../output/error-text.ts";

/** What the program that failed wrote says why. */
const TELLING: ReadonlySet<string> = new Set(["AGENT_INSTALL_FAILED", "TEMPLATE_BUILD_FAILED"]);
const LINE_EVERY_MS = { terminal: 200, file: 5000 };
const OUTPUT_CHARACTERS_MAX = 1024 * 1024;

/** Starts a sandbox and tells on stderr what happens meanwhile: an installation fetches hundreds of MB. */
export async function startSandbox(
  api: Api,
  id: string,
  { caller, request }: { caller: Caller; request: SandboxStart },
): Promise<Sandbox> {
  const progress = new InstallProgress(caller);
  try {
    const path = sandboxPath(id, "/start");
    for await (const event of api.events<StartEvent>(path, { body: request })) {
      if (event.type === "sandbox-start") return event.sandbox;
      progress.show(event);
    }
  } finally {
    progress.close();
  }
  throw new CattlegridError("DAEMON_UNREACHABLE", "The daemon ended while the sandbox started.");
}

/** Shows the newest line of an installer, rarely enough to be read; the whole of it when it fails. */
export class InstallProgress {
  readonly #caller: Caller;
  #output = "";
  #receivedBytes = 0;
  #shownAtMs = 0;
  #hasLine = false;

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  show(event: Exclude<TemplateBuildEvent, { type: "template-built" }>): void {
    switch (event.type) {
      case "install-start":
      case "build-start":
      case "build-end":
        this.#say(event.text);
        break;
      case "build-step":
        this.#output = "";
        this.#receivedBytes = 0;
        this.#say(`  ${event.text}`);
        break;
      case "build-delta":
      case "install-delta":
        this.#output = (this.#output + event.text).slice(-OUTPUT_CHARACTERS_MAX);
        this.#showNewest();
        break;
      case "install-progress":
        this.#receivedBytes = event.receivedBytes;
        this.#showNewest();
        break;
      case "install-end":
        this.#output = "";
        this.#say(`Installed ${event.agent} ${event.version}.`);
        break;
      case "notice":
        this.#say(event.text);
        break;
      case "problem":
        this.close();
        if (TELLING.has(event.problem.code)) this.#caller.errors.write(this.#whole());
        throw toError(event.problem);
    }
  }

  /** Takes the unfinished line off the screen. */
  close(): void {
    if (this.#hasLine) this.#caller.errors.write("\r\u001b[K");
    this.#hasLine = false;
  }

  #say(text: string): void {
    this.close();
    tell(this.#caller, makePrintable(text));
  }

  #showNewest(): void {
    const { errors } = this.#caller;
    const now = performance.now();
    const everyMs = errors.isTTY ? LINE_EVERY_MS.terminal : LINE_EVERY_MS.file;
    if (this.#shownAtMs !== 0 && now - this.#shownAtMs < everyMs) return;
    const line = describeProgress(newestLine(this.#output), this.#receivedBytes);
    if (line === "") return;
    this.#shownAtMs = now;
    this.#hasLine = errors.isTTY;
    if (errors.isTTY)
      errors.write(`\r\u001b[K  ${line.slice(0, Math.max(10, errors.columns - 3))}`);
    else errors.write(`  ${line}\n`);
  }

  #whole(): string {
    const text = this.#output.trimEnd();
    return text === ""
      ? ""
      : `${text.split(/\r?\n/).map(lastRewrite).map(makePrintable).join("\n")}\n`;
  }
}

/** The installer's newest line, with how much it has fetched once that is worth telling. */
export function describeProgress(line: string, receivedBytes: number): string {
  if (receivedBytes < 1_000_000) return line;
  const received = `${Math.round(receivedBytes / 1_000_000)} MB received`;
  return line === "" ? received : `${line} (${received})`;
}

/** The last line with something on it; a carriage return begins a line anew. */
export function newestLine(text: string): string {
  const lines = stripSequences(text)
    .split(/[\r\n]+/)
    .map((line) => line.trim());
  return makePrintable(lines.findLast((line) => line !== "") ?? "");
}

function lastRewrite(line: string): string {
  return (
    stripSequences(line)
      .split("\r")
      .findLast((part) => part !== "") ?? ""
  );
}

function stripSequences(text: string): string {
  return text.replaceAll(/\u001b\[[0-?]*[ -/]*[@-~]/g, "");
}
