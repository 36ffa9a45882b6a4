import { ProcessLauncher } from "../../../platform/process-launcher.ts";
import { realpathSync } from "node:fs";
import { Keeper } from "./keeper.ts";
import type { Directories } from "../../storage/directories.ts";
import type { Machine } from "./machine.ts";
import { runtimePath } from "./keeper/message.ts";
import { SeccompProgram } from "./system-calls/seccomp-program.ts";
import { openRuntimeFiles, type RuntimeFiles } from "./runtimes/runtime-files.ts";

export interface KeeperResidence {
  machine: Machine;
  directories: Directories;
  /** The program that runs its sandboxes. */
  program: string;
  /** Whether an ordinary user's subordinate ids are needed. */
  withRange: boolean;
  runtimeDirectory: string;
  /** Who owns the root directories inside, in host ids. */
  owner: { uid: number; gid: number };
}

export interface LaunchedKeeper {
  keeper: Keeper;
  files: RuntimeFiles;
  /** The runtime's program, where the keeper has it. */
  program: string;
  /** Id maps that this keeper holds already, by key. */
  idMaps: Map<string, Promise<number>>;
  seccomp: SeccompProgram;
  launcher: ProcessLauncher;
}

/** Launches the keeper when it is first needed, and again after it has died. */
export class ResidentKeeper {
  readonly #residence: () => KeeperResidence;
  #launched: Promise<LaunchedKeeper> | undefined;

  constructor(residence: () => KeeperResidence) {
    this.#residence = residence;
  }

  async get(): Promise<LaunchedKeeper> {
    this.#launched ??= this.#launch();
    const launched = await this.#launched;
    if (launched.keeper.isAlive) return launched;
    // It is dying: the next one begins where nothing of it is left.
    await launched.keeper.ended;
    return this.get();
  }

  get isWanted(): boolean {
    return this.#launched !== undefined;
  }

  async kill(): Promise<void> {
    const [launch] = await Promise.allSettled([this.#launched]);
    // One that could not be launched has left nothing to kill.
    if (launch?.status === "fulfilled") await launch.value?.keeper.kill();
  }

  #launch(): Promise<LaunchedKeeper> {
    const launched = launch(this.#residence());
    const forget = (): void => {
      if (this.#launched === launched) this.#launched = undefined;
    };
    // The next one to ask launches anew, after a failure as after a death.
    launched.then(({ keeper }) => keeper.ended.then(forget), forget).catch(forget);
    return launched;
  }
}

async function launch(residence: KeeperResidence): Promise<LaunchedKeeper> {
  const { machine, directories, runtimeDirectory, owner, withRange } = residence;
  const files = openRuntimeFiles(runtimeDirectory, machine.isRoot ? owner : undefined);
  const runtime = realpathSync(residence.program);
  const setup = {
    directories: [
      { name: "s", source: directories.sandboxes },
      { name: "l", source: directories.layers },
      { name: "o", source: directories.roots },
      { name: "b", source: directories.bases },
      { name: "r", source: files.directory },
    ],
    runtime,
    owner,
  };
  const keeper = await Keeper.launch(machine, setup, { cache: files.cache, withRange });
  const [seccomp, launcher] = [new SeccompProgram(), new ProcessLauncher()];
  const program = runtimePath(runtime);
  return { keeper, files, program, idMaps: new Map(), seccomp, launcher };
}
