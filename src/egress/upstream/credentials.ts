import { readFile } from "node:fs/promises";
import { z } from "zod";
import { runProcess } from "../../platform/process.ts";

/** Where the `user:password` for the proxy is; never the secret itself. */
export const credentialSourceSchema = z.union([
  z.strictObject({ file: z.string().startsWith("/") }),
  z.strictObject({ environment: z.string().regex(/^CATTLEGRID_UPSTREAM_[A-Z0-9_]+$/) }),
  z.strictObject({ command: z.array(z.string()).min(1) }),
]);
export type CredentialSource = z.infer<typeof credentialSourceSchema>;

export type CredentialReading = { ok: true; value: string } | { ok: false; problem: string };

const COMMAND_TIMEOUT_MS = 10_000;
/** So that a rotated secret is found, and a command does not run for every connection. */
const FRESH_MS = 60_000;

/** Reads the secret when it is needed, and keeps it in memory for a minute. */
export class ProxyCredentials {
  readonly #source: CredentialSource;
  readonly #environment: Readonly<Record<string, string | undefined>>;
  #read: { reading: Promise<CredentialReading>; at: number } | undefined;

  constructor(source: CredentialSource, environment: Readonly<Record<string, string | undefined>>) {
    this.#source = source;
    this.#environment = environment;
  }

  /** Never rejects. SECURITY: a problem names the source and never what it holds. */
  read(now = performance.now()): Promise<CredentialReading> {
    if (this.#read === undefined || now - this.#read.at > FRESH_MS) {
      this.#read = { reading: this.#readAnew(), at: now };
    }
    return this.#read.reading;
  }

  /** The proxy refused it: the next connection reads it again. */
  forget(): void {
    this.#read = undefined;
  }

  async #readAnew(): Promise<CredentialReading> {
    const text = await this.#readText();
    if (typeof text !== "string") return text;
    const value = text.split(/\r?\n/, 1)[0] ?? "";
    if (/^[^:\x00-\x1f\x7f]+:[^\x00-\x1f\x7f]*$/.test(value)) return { ok: true, value };
    return problem("its credentials are not one line USER:PASSWORD");
  }

  async #readText(): Promise<string | CredentialReading> {
    const source = this.#source;
    if ("environment" in source) {
      const value = this.#environment[source.environment];
      return value ?? problem(`the daemon has no variable ${source.environment}`);
    }
    return "file" in source ? readSecretFile(source.file) : this.#runCommand(source.command);
  }

  async #runCommand(argv: readonly string[]): Promise<string | CredentialReading> {
    const entries = Object.entries(this.#environment).filter((entry) => entry[1] !== undefined);
    try {
      const { code, stdout } = await runProcess(argv, {
        environment: Object.fromEntries(entries) as Record<string, string>,
        signal: AbortSignal.timeout(COMMAND_TIMEOUT_MS),
      });
      return code === 0 ? stdout : problem(`the command for its credentials ended with ${code}`);
    } catch (error) {
      const reason =
        error instanceof Error && error.name === "AbortError" ? "took too long" : "failed";
      return problem(`the command for its credentials ${reason}`);
    }
  }
}

async function readSecretFile(path: string): Promise<string | CredentialReading> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return problem(`the file of its credentials, ${path}, cannot be read (${code ?? "unknown"})`);
  }
}

function problem(text: string): CredentialReading {
  return { ok: false, problem: text };
}
