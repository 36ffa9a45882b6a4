import { CattlegridError } from "../../../../errors/error.ts";
import type { UpgradedConnection } from "../../../../platform/http-client.ts";
import type { Call, EngineClient } from "./engine-client.ts";

/** What the engine says of itself. */
export interface EngineFacts {
  ServerVersion: string;
  KernelVersion: string;
  OperatingSystem: string;
  OSType: string;
  Architecture: string;
  Runtimes?: Readonly<Record<string, { path?: string; runtimeArgs?: readonly string[] }>>;
  MemoryLimit?: boolean;
  CpuCfsQuota?: boolean;
  PidsLimit?: boolean;
  SecurityOptions?: readonly string[] | null;
  /** Podman's alone. */
  BuildahVersion?: string;
  /** Podman's alone; Docker says it among its security options. */
  Rootless?: boolean;
}

/** Throws PROVIDER_UNSUPPORTED for an engine of an ordinary user: the agent would be none to whom home and workspace belong. */
export function refuseRootless({ Rootless, SecurityOptions }: EngineFacts): void {
  if (Rootless !== true && SecurityOptions?.includes("name=rootless") !== true) return;
  const message =
    "The engine runs as an ordinary user, and gives programs ids that own no file here.";
  throw new CattlegridError("PROVIDER_UNSUPPORTED", message, {
    hint: "Use the engine that root runs, with DOCKER_HOST=unix:///var/run/docker.sock or unix:///run/podman/podman.sock, or the local provider.",
  });
}

export function isPodman({ BuildahVersion }: EngineFacts): boolean {
  return BuildahVersion !== undefined;
}

export interface ImageFacts {
  Id: string;
  Os: string;
  Architecture: string;
  Config?: { Env?: readonly string[] | null } | null;
  /** As registries know it: `name@sha256:…`. */
  RepoDigests?: readonly string[] | null;
  /** What it was committed on; empty for none. */
  Parent?: string;
  /** Of all that it is made of, in bytes. */
  Size?: number;
}

export type Labels = Readonly<Record<string, string>>;

export interface ExecWish {
  argv: readonly string[];
  environment: readonly string[];
  user: string;
  hasTerminal: boolean;
  hasInput: boolean;
}

export interface ExecState {
  Running: boolean;
  ExitCode: number | null;
}

/** The calls that sandboxes need, each named for what it does. */
export class Engine {
  readonly #client: EngineClient;

  constructor(client: EngineClient) {
    this.#client = client;
  }

  get socketPath(): string {
    return this.#client.socketPath;
  }

  async inspectEngine(signal?: AbortSignal): Promise<EngineFacts> {
    return (await this.#client.call("GET", "/info", withSignal(signal))) as EngineFacts;
  }

  /** Throws IMAGE_MISSING. Never pulls: what runs is what the user brought. */
  async inspectImage(name: string, signal?: AbortSignal): Promise<ImageFacts> {
    const path = `/images/${encodeURIComponent(name)}/json`;
    return (await this.#client.call("GET", path, withSignal(signal))) as ImageFacts;
  }

  async createContainer(
    name: string | undefined,
    wish: object,
    signal?: AbortSignal,
  ): Promise<string> {
    const query = name === undefined ? "" : `?name=${encodeURIComponent(name)}`;
    const path = `/containers/create${query}`;
    const made = await this.#client.call("POST", path, { body: wish, ...withSignal(signal) });
    return (made as { Id: string }).Id;
  }

  async startContainer(id: string, signal?: AbortSignal): Promise<void> {
    await this.#client.call("POST", `/containers/${id}/start`, withSignal(signal));
  }

  /** Its standard streams; before it starts, so that nothing is missed. Its input ends when this connection does. */
  async attachContainer(id: string, signal?: AbortSignal): Promise<UpgradedConnection> {
    const path = `/containers/${id}/attach?stream=1&stdin=1&stdout=1&stderr=1`;
    return this.#client.attach(path, withSignal(signal));
  }

  /** Whether a container has something at that path, running or not. */
  async hasPath(id: string, path: string): Promise<boolean> {
    try {
      const query = `path=${encodeURIComponent(path)}`;
      await this.#client.call("HEAD", `/containers/${id}/archive?${query}`);
      return true;
    } catch (error) {
      if (CattlegridError.is(error) && error.details["status"] === 404) return false;
      throw error;
    }
  }

  /** The number of its first process, where the engine runs. */
  async findProcess(id: string): Promise<number> {
    const found = await this.#client.call("GET", `/containers/${id}/json`);
    return (found as { State: { Pid: number } }).State.Pid;
  }

  /** Resolves with its exit status once it does not run any more. */
  async waitForEnd(id: string, signal: AbortSignal): Promise<number> {
    const path = `/containers/${id}/wait?condition=not-running`;
    const ended = await this.#client.call("POST", path, { signal });
    return (ended as { StatusCode: number }).StatusCode;
  }

  /** Ends what runs in it at once; it stays. One that does not run is as good. */
  async killContainer(id: string): Promise<void> {
    await this.#client.call("POST", `/containers/${id}/kill`, { alsoDone: [404, 409] });
  }

  /** Kills and removes it with its volumes. `busy`: somebody else removes it at this moment. */
  async removeContainer(id: string): Promise<"removed" | "absent" | "busy"> {
    try {
      const path = `/containers/${encodeURIComponent(id)}?force=1&v=1`;
      await this.#client.call("DELETE", path);
      return "removed";
    } catch (error) {
      const status = CattlegridError.is(error) ? error.details["status"] : undefined;
      if (status === 404) return "absent";
      if (status === 409) return "busy";
      throw error;
    }
  }

  async listContainers(labels: Labels): Promise<readonly { Id: string; Labels: Labels }[]> {
    const filters = encodeURIComponent(JSON.stringify({ label: written(labels) }));
    const found = await this.#client.call("GET", `/containers/json?all=1&filters=${filters}`);
    return found as { Id: string; Labels: Labels }[];
  }

  async createVolume(wish: object): Promise<void> {
    await this.#client.call("POST", "/volumes/create", { body: wish });
  }

  /** Removes those with all these labels that no container has. */
  async removeUnusedVolumes(labels: Labels): Promise<void> {
    for (const name of await this.#listUnusedVolumes(labels)) {
      const path = `/volumes/${encodeURIComponent(name)}`;
      await this.#client.call("DELETE", path, { alsoDone: [404, 409] });
    }
  }

  async #listUnusedVolumes(labels: Labels): Promise<readonly string[]> {
    const filters = encodeURIComponent(
      JSON.stringify({ label: written(labels), dangling: ["true"] }),
    );
    const found = await this.#client.call("GET", `/volumes?filters=${filters}`);
    const { Volumes } = found as { Volumes: { Name: string }[] | null };
    return (Volumes ?? []).map(({ Name }) => Name);
  }

  /** Throws SANDBOX_NOT_RUNNING when the container is not there or does not run. */
  async createExec(id: string, wish: ExecWish, signal?: AbortSignal): Promise<string> {
    const body = {
      Cmd: wish.argv,
      Env: wish.environment,
      User: wish.user,
      WorkingDir: "/",
      Tty: wish.hasTerminal,
      AttachStdin: wish.hasInput,
      AttachStdout: true,
      AttachStderr: true,
      Privileged: false,
    };
    const path = `/containers/${id}/exec`;
    const made = await this.#client.call("POST", path, { body, ...withSignal(signal) });
    return (made as { Id: string }).Id;
  }

  async startExec(
    exec: string,
    hasTerminal: boolean,
    signal?: AbortSignal,
  ): Promise<UpgradedConnection> {
    const body = { Detach: false, Tty: hasTerminal };
    return this.#client.attach(`/exec/${exec}/start`, { body, ...withSignal(signal) });
  }

  async inspectExec(exec: string): Promise<ExecState> {
    return (await this.#client.call("GET", `/exec/${exec}/json`)) as ExecState;
  }

  async resizeExec(
    exec: string,
    { columns, rows }: { columns: number; rows: number },
  ): Promise<void> {
    await this.#client.call("POST", `/exec/${exec}/resize?h=${rows}&w=${columns}`);
  }
}

function written(labels: Labels): readonly string[] {
  return Object.entries(labels).map(([name, value]) => `${name}=${value}`);
}

function withSignal(signal: AbortSignal | undefined): Call {
  return signal === undefined ? {} : { signal };
}
