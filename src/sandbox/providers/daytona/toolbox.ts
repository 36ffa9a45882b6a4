import { z } from "zod";
import { CattlegridError } from "../../../errors/error.ts";
import type { ApiClient } from "./api-client.ts";
import { openTerminalSocket, type TerminalSocket } from "./terminal-socket.ts";

const COMMAND_TIMEOUT_MS = 60_000;
const COMMAND_MARGIN_MS = 10_000;
const UPLOAD_TIMEOUT_MS = 30 * 60_000;
const LINE = /.{1,76}/g;

const resultSchema = z.object({ exitCode: z.number(), result: z.string().default("") });

export interface CommandResult {
  exitCode: number;
  /** Output and errors in one. */
  output: string;
}

/** The service's own program in one sandbox: short commands, files, terminals. */
export class Toolbox {
  readonly #client: ApiClient;
  readonly #base: string;

  /** `base`: its address. */
  constructor(client: ApiClient, base: string) {
    this.#client = client;
    this.#base = base;
  }

  /**
   * Gives a script to a shell inside and waits for it. It may come twice: only for what does the same when it is done again.
   * SECURITY: the script is the shell's input, so nothing of it is on a command line.
   */
  async execute(script: string, signal: AbortSignal): Promise<CommandResult> {
    const answer = await this.#client.call({
      method: "POST",
      path: `${this.#base}/process/execute`,
      body: { command: script, timeout: COMMAND_TIMEOUT_MS / 1000 },
      isRepeatable: true,
      timeoutMs: this.#client.patience.answerMs + COMMAND_MARGIN_MS,
      signal,
    });
    const { exitCode, result } = resultSchema.parse(answer);
    return { exitCode, output: result };
  }

  async upload(path: string, bytes: Uint8Array, signal: AbortSignal): Promise<void> {
    const body = new FormData();
    body.set("files[0].path", path);
    body.set("files[0].file", new Blob([new Uint8Array(bytes)]), "file");
    const call = { method: "POST" as const, path: `${this.#base}/files/bulk-upload`, body };
    await this.#client.call({ ...call, isRepeatable: true, timeoutMs: UPLOAD_TIMEOUT_MS, signal });
  }

  async homeDirectory(signal: AbortSignal): Promise<string> {
    const path = `${this.#base}/user-home-dir`;
    const answer = await this.#client.call({ method: "GET", path, signal });
    const parsed = z.object({ dir: z.string().startsWith("/") }).safeParse(answer);
    if (parsed.success) return parsed.data.dir;
    throw new CattlegridError(
      "PROVIDER_FAILED",
      "Daytona does not say where the sandbox's home is.",
    );
  }

  /** A terminal with a shell of the service's. Resolves when it can be typed in. */
  async openTerminal(id: string, signal: AbortSignal): Promise<TerminalSocket> {
    const url = new URL(`${this.#base}/process/pty/create-connect`);
    url.protocol = url.protocol === "http:" ? "ws:" : "wss:";
    for (const [name, value] of Object.entries({ id, cols: "120", rows: "30" })) {
      url.searchParams.set(name, value);
    }
    return openTerminalSocket(
      {
        url: url.href,
        headers: await this.#client.headers(),
        pingMs: this.#client.patience.pingMs,
      },
      signal,
    );
  }

  /** Ends what runs in a terminal; one that is not there is fine. */
  async closeTerminal(id: string, signal: AbortSignal): Promise<void> {
    try {
      const path = `${this.#base}/process/pty/${id}`;
      await this.#client.call({ method: "DELETE", path, signal });
    } catch (error) {
      if (!CattlegridError.is(error)) throw error;
    }
  }
}

/** Bytes as the input of a command in a script for `execute`, between two lines that no base64 is. */
export function asInput(bytes: Uint8Array): string {
  const lines = Buffer.from(bytes).toString("base64").match(LINE) ?? [];
  return ["<<'END-OF-BYTES'", ...lines, "END-OF-BYTES\n"].join("\n");
}
