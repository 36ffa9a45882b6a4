import { INVENTORY_FORMAT } from "../../changes/copied/inventory.ts";
import { CattlegridError } from "../../errors/error.ts";
import type { ProcessRequest, SandboxProcess } from "../process.ts";
import type { RunningSandbox } from "../provider.ts";

const LIST_BYTES_MAX = 256 * 1024 * 1024;
const ERRORS_LENGTH_MAX = 2000;
const PRUNED_MAX = 500;

/**
 * The copy of a workspace inside a sandbox, reached through programs there: it is where they begin. SECURITY: commands are constant but
 * for patterns, which are escaped; names of files travel by standard input. What the programs print is the sandbox's word.
 */
export class CopiedWorkspace {
  readonly #running: RunningSandbox;
  readonly #signal: AbortSignal;

  constructor(running: RunningSandbox, signal: AbortSignal) {
    this.#running = running;
    this.#signal = signal;
  }

  async clear(): Promise<void> {
    await this.#succeed(["find", ".", "-mindepth", "1", "-delete"]);
  }

  /** Unpacks an archive over what is there. */
  async put(archive: Uint8Array): Promise<void> {
    await this.#succeed(["tar", "-xpof", "-"], archive);
  }

  /** As `parseInventory` reads it; empty when there is nothing at all. What git ignores below `pruned` is not looked into. */
  async list(pruned: readonly string[]): Promise<Buffer> {
    const skipped = pruned.slice(0, PRUNED_MAX).flatMap((path) => ["-o", "-path", pattern(path)]);
    const never = ["(", "-name", ".git", ...skipped, ")", "-prune", "-o"];
    const argv = ["find", ".", "-mindepth", "1", ...never, "-printf", INVENTORY_FORMAT];
    const { code, output, errors } = await this.#run({ argv });
    // What may not be looked into is told by status 1; what was listed is right all the same.
    if (code > 1) throw failed("find", code, errors);
    return output;
  }

  async isEmpty(): Promise<boolean> {
    const { code, output, errors } = await this.#run({
      argv: ["find", ".", "-mindepth", "1", "-maxdepth", "1"],
    });
    if (code !== 0) throw failed("find", code, errors);
    return output.length === 0;
  }

  /** Paths that git ignores in there, directories with a slash at the end; empty where there is no git. */
  async listIgnored(): Promise<readonly string[]> {
    const flags = ["-z", "--others", "--ignored", "--exclude-standard", "--directory"];
    const found = await this.#runIfPresent({ argv: ["git", "ls-files", ...flags] });
    if (found?.code !== 0) return [];
    return found.output.toString("utf8").split("\0").filter(Boolean);
  }

  /** Lets `use` read an archive of the files. */
  async get<T>(
    paths: readonly string[],
    use: (archive: AsyncIterable<Uint8Array>) => Promise<T>,
  ): Promise<T> {
    const argv = ["tar", "-cf", "-", "--no-recursion", "--hard-dereference", "--null", "-T", "-"];
    const inputBytes = Buffer.from(paths.map((path) => `./${path}\0`).join(""));
    return this.#exec({ argv, inputBytes }, async (process) => {
      const errors = readTail(process.errors);
      const received = await use(process.output);
      const { code, kind } = await process.ended;
      // 1 and 2: some of them went or may not be read, of which the others are none the worse.
      if (kind !== "exited" || code > 2) throw failed("tar", code, await errors);
      return received;
    });
  }

  /** Makes a git repository of what is there, with one commit; says why not, if not. */
  async makeRepository(
    environment: Readonly<Record<string, string>>,
    message: string,
  ): Promise<string | undefined> {
    const argv = ["sh", "-c", BASELINE_SCRIPT, "sh", message];
    const made = await this.#runIfPresent({ argv, environment });
    if (made === undefined) return "there is no shell";
    return made.code === 0 ? undefined : made.errors || `git ended with ${made.code}`;
  }

  async #succeed(argv: readonly string[], inputBytes?: Uint8Array): Promise<void> {
    const request = inputBytes === undefined ? { argv } : { argv, inputBytes };
    const { code, errors } = await this.#run(request);
    if (code !== 0) throw failed(argv[0] ?? "", code, errors);
  }

  async #runIfPresent(request: ProcessRequest): Promise<Ran | undefined> {
    try {
      return await this.#run(request);
    } catch (error) {
      if (CattlegridError.is(error, "COMMAND_NOT_FOUND")) return undefined;
      throw error;
    }
  }

  async #run(request: ProcessRequest): Promise<Ran> {
    return this.#exec(request, async (process) => {
      process.input.on("error", () => process.input.destroy());
      process.input.end();
      const errors = readTail(process.errors);
      const output = await readAll(process);
      const { code, kind } = await process.ended;
      if (kind === "lost") {
        throw failed(request.argv[0] ?? "", code, "the connection to it was lost");
      }
      return { code, output, errors: await errors };
    });
  }

  /** SECURITY: an agent may have put a program that never ends in the place of one of these, so the signal ends them. */
  async #exec<T>(
    request: ProcessRequest,
    use: (process: SandboxProcess) => Promise<T>,
  ): Promise<T> {
    const signal = this.#signal;
    const process = await this.#running.exec(request, signal);
    const kill = (): void => void process.kill();
    signal.addEventListener("abort", kill, { once: true });
    if (signal.aborted) kill();
    try {
      const result = await use(process);
      signal.throwIfAborted();
      return result;
    } catch (error) {
      // What fails once it was killed says nothing of its own.
      signal.throwIfAborted();
      throw error;
    } finally {
      signal.removeEventListener("abort", kill);
      await process.kill();
    }
  }
}

interface Ran {
  code: number;
  output: Buffer;
  /** The end of what it said. */
  errors: string;
}

/** Everything is tracked, ignored or not: it is what later changes are seen against. */
const BASELINE_SCRIPT = `
set -e
command -v git >/dev/null || { echo "there is no git" >&2; exit 1; }
git -c init.defaultBranch=main init --quiet .
git -c core.autocrlf=false -c core.safecrlf=false add --all --force .
git -c commit.gpgsign=false -c core.hooksPath=/dev/null commit --quiet --allow-empty --message "$1"
`;

/** As `-path` takes it, literally. */
function pattern(path: string): string {
  return `./${path.replace(/\/$/, "").replaceAll(/[\\*?[\]]/g, String.raw`\$&`)}`;
}

async function readAll({ output }: SandboxProcess): Promise<Buffer> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const chunk of output as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > LIST_BYTES_MAX) {
      throw new CattlegridError(
        "CHANGES_TOO_LARGE",
        "The list of the sandbox's files is too long.",
      );
    }
    parts.push(chunk);
  }
  return Buffer.concat(parts);
}

async function readTail(stream: AsyncIterable<Buffer> | undefined): Promise<string> {
  let text = "";
  for await (const chunk of stream ?? []) {
    text = (text + chunk.toString("utf8")).slice(-ERRORS_LENGTH_MAX);
  }
  return text.trim();
}

function failed(program: string, code: number, errors: string): CattlegridError {
  const why = errors || `it ended with ${code}`;
  return new CattlegridError("CHANGES_UNREACHABLE", `${program} failed in the sandbox: ${why}`);
}
