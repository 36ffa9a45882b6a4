import { mkdirSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Requirement } from "../requirement.ts";
import type { CaptureSockets } from "../../sandbox/capture/capture-sockets.ts";
import type { ProcessRequest } from "../../sandbox/process.ts";
import type {
  RunningSandbox,
  SandboxProvider,
  SandboxSpecification,
  WorkspaceMode,
} from "../../sandbox/provider.ts";

export interface ProviderDirectories {
  stateDirectory: string;
  runtimeDirectory: string;
}

export type MakeProvider = (directories: ProviderDirectories) => SandboxProvider;

export type Kernel = "host" | "own";

/**
 * What a backend does otherwise, of which its page tells: the root file system is an image's, numbers of users are the
 * host's, the table of mounts names the host's directories, /run is not the agent's to write, a path with a comma or a
 * quote cannot be mounted, or /tmp outlives a stop.
 */
export type Difference =
  | "image"
  | "host-ids"
  | "mounts-name-the-host"
  | "closed-run"
  | "plain-paths"
  | "kept-tmp";

/** The provider that a section of the suite is about. */
export interface Subject {
  makeProvider: MakeProvider;
  kernel: Kernel;
  /** Of the user inside. */
  home: string;
  /** The workspace mode that the provider states first. */
  mode: WorkspaceMode;
  /** Whether the number of processes can be limited. */
  limits: Requirement;
  differences: readonly Difference[];
}

export interface Outcome {
  code: number;
  output: string;
  errors: string;
}

export const NEVER: AbortSignal = new AbortController().signal;

/** One provider with directories of its own, and every sandbox and socket that came of it. */
export class SandboxYard {
  readonly directory: string;
  readonly provider: SandboxProvider;
  readonly #makeProvider: MakeProvider;
  readonly #sockets = new Map<string, CaptureSockets>();
  /** Of earlier starts of the same sandboxes. */
  readonly #earlier: CaptureSockets[] = [];
  readonly #created = new Set<string>();
  #names = 0;

  constructor(makeProvider: MakeProvider) {
    this.#makeProvider = makeProvider;
    this.directory = realpathSync(mkdtempSync(join(tmpdir(), "cg-yard-")));
    this.provider = this.another();
  }

  /** A provider over the same directories, as the next engine has it. */
  another(): SandboxProvider {
    return this.#makeProvider({
      stateDirectory: join(this.directory, "state"),
      runtimeDirectory: join(this.directory, "run"),
    });
  }

  /** A new directory of the host that no sandbox sees unless it is given. */
  makeDirectory(name: string): string {
    const path = join(this.directory, name);
    mkdirSync(path, { recursive: true });
    return path;
  }

  specify(parts: Partial<SandboxSpecification> = {}): SandboxSpecification {
    this.#names += 1;
    return {
      id: `yard${this.#names}`,
      name: `yard-${this.#names}`,
      protectedPaths: [],
      homeLayers: [],
      toolchains: [],
      environment: {},
      certificates: [],
      limits: {},
      ...parts,
    };
  }

  /** Of the sandboxes that `start` made. */
  get ids(): readonly string[] {
    return [...this.#created];
  }

  /** Of a sandbox's last start. */
  socketsOf(id: string): CaptureSockets {
    const sockets = this.#sockets.get(id);
    if (sockets === undefined) throw new TypeError(`${id} handed out no sockets`);
    return sockets;
  }

  async start(parts: Partial<SandboxSpecification> = {}): Promise<RunningSandbox> {
    return this.startAs(this.specify(parts));
  }

  /** Makes and starts exactly this one. */
  async startAs(specification: SandboxSpecification): Promise<RunningSandbox> {
    this.#created.add(specification.id);
    await this.provider.create(specification, NEVER);
    return this.startAgain(specification);
  }

  async startAgain(
    specification: SandboxSpecification,
    provider: SandboxProvider = this.provider,
  ): Promise<RunningSandbox> {
    const onCapture = (sockets: CaptureSockets): void => {
      const before = this.#sockets.get(specification.id);
      if (before !== undefined) this.#earlier.push(before);
      this.#sockets.set(specification.id, sockets);
    };
    return provider.start(specification, { onCapture }, NEVER);
  }

  async close(): Promise<void> {
    await this.provider.close();
    for (const id of this.#created) await this.provider.destroy(id);
    for (const { tcp, udp } of [...this.#sockets.values(), ...this.#earlier]) {
      tcp.close();
      for (const socket of udp) socket.close();
    }
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Runs a command inside to its end and gives back all it wrote. */
export async function run(
  sandbox: RunningSandbox,
  argv: readonly string[],
  request: Omit<ProcessRequest, "argv"> & { input?: string } = {},
): Promise<Outcome> {
  const { input, ...rest } = request;
  const program = await sandbox.exec({ argv, ...rest }, NEVER);
  const read = async (stream: AsyncIterable<Buffer> | undefined): Promise<string> => {
    const chunks: Buffer[] = [];
    for await (const chunk of stream ?? []) chunks.push(chunk);
    return Buffer.concat(chunks).toString("utf8");
  };
  if (request.terminal === undefined) program.input.end(input ?? "");
  const [output, errors, ending] = await Promise.all([
    read(program.output),
    read(program.errors),
    program.ended,
  ]);
  return { code: ending.code, output, errors };
}

/** The output of a program that has to succeed, without the last newline. */
export async function answerOf(sandbox: RunningSandbox, argv: readonly string[]): Promise<string> {
  const { code, output, errors } = await run(sandbox, argv);
  if (code !== 0) throw new TypeError(`${argv.join(" ")}: status ${code}: ${output}${errors}`);
  return output.trimEnd();
}

/** Writes a file inside. */
export async function write(sandbox: RunningSandbox, path: string, text: string): Promise<void> {
  const { code, errors } = await run(sandbox, ["tee", path], { input: text });
  if (code !== 0) throw new TypeError(`${path}: ${errors}`);
}

/** Runs a shell script inside. */
export async function sh(sandbox: RunningSandbox, script: string): Promise<Outcome> {
  return run(sandbox, ["sh", "-c", script]);
}

/** The output of a script that has to succeed, without the last newline. */
export async function answer(sandbox: RunningSandbox, script: string): Promise<string> {
  const { code, output, errors } = await sh(sandbox, script);
  if (code !== 0) throw new TypeError(`status ${code}: ${output}${errors}`);
  return output.trimEnd();
}

/** Those of the scripts that end with status 0. */
export async function succeeding(
  sandbox: RunningSandbox,
  scripts: readonly string[],
): Promise<readonly string[]> {
  const done: string[] = [];
  for (const script of scripts) if ((await sh(sandbox, script)).code === 0) done.push(script);
  return done;
}
