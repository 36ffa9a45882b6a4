import { AGENT_ID } from "../../guest/environment.ts";
import type { SandboxSpecification } from "../../provider.ts";
import {
  explainDiskError,
  fixSubordinateRange,
  makeSandboxDirectories,
  makeWorkspaceDirectories,
  modeOf,
  openDirectories,
  type Directories,
  type Owner,
} from "../../storage/directories.ts";
import { inspectMachine, type Machine } from "./machine.ts";
import { requireIds } from "./root-inside.ts";
import { findOwnRange } from "./subordinate-ids.ts";

/** This machine and the provider's place on it, looked at when first needed: a provider is made without touching either. */
export class Host {
  readonly #stateDirectory: string;
  #found: { machine: Machine; directories: Directories } | undefined;

  constructor(stateDirectory: string) {
    this.#stateDirectory = stateDirectory;
  }

  get machine(): Machine {
    return this.#find().machine;
  }

  /** Throws FILE_SYSTEM_UNSUITABLE, DISK_FULL. */
  get directories(): Directories {
    try {
      return this.#find().directories;
    } catch (error) {
      throw explainDiskError(error, this.#stateDirectory);
    }
  }

  /** As root the agent is a subordinate user, to whom its files must belong; else it is this user. */
  get agentOwner(): Owner | undefined {
    const { isRoot, subordinate } = this.machine;
    if (!isRoot) return undefined;
    return { uid: subordinate.first + AGENT_ID, gid: subordinate.first + AGENT_ID };
  }

  /** Who is root inside, as the keeper sees it. */
  get rootOwner(): Owner {
    const { isRoot, subordinate } = this.machine;
    return isRoot ? { uid: subordinate.first, gid: subordinate.first } : { uid: 0, gid: 0 };
  }

  /** Of an ordinary user's subordinate ids the first, with which sandboxes on bases run; undefined for root, and without any. */
  get ownRange(): number | undefined {
    return this.machine.isRoot ? undefined : findOwnRange();
  }

  /** Makes what a sandbox writes to, or finds it made. */
  makeDirectories(directory: string, specification: SandboxSpecification): void {
    const { workspace, base, hasRoot } = specification;
    const { machine, agentOwner, rootOwner } = this;
    if (hasRoot === true && !machine.isRoot) requireIds(this.ownRange, specification);
    if (base !== undefined) {
      // Whoever is root inside has them, as in any root file system.
      const trees = hasRoot === true ? (["root", "etc"] as const) : (["root"] as const);
      makeSandboxDirectories(directory, machine.isRoot ? rootOwner : undefined, trees);
    }
    makeSandboxDirectories(directory, agentOwner, base === undefined ? undefined : ["home"]);
    if (workspace?.mode !== "overlay") return;
    makeWorkspaceDirectories(directory, modeOf(workspace.path), agentOwner);
  }

  #find(): { machine: Machine; directories: Directories } {
    if (this.#found !== undefined) return this.#found;
    const directories = openDirectories(this.#stateDirectory);
    const machine = inspectMachine();
    const proposed = machine.subordinate.first;
    const first = machine.isRoot
      ? fixSubordinateRange(directories.subordinateFile, proposed)
      : proposed;
    const subordinate = { ...machine.subordinate, first };
    this.#found = { directories, machine: { ...machine, subordinate } };
    return this.#found;
  }
}
