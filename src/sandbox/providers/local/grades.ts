import { rm } from "node:fs/promises";
import { join } from "node:path";
import { CattlegridError } from "../../../errors/error.ts";
import type { PresentCapabilities, SandboxSpecification } from "../../provider.ts";
import type { Host } from "./host.ts";
import { Residence, type ResidenceOptions } from "./residence.ts";
import {
  findContainerRuntimes,
  findRangedRuntimes,
  requireSentry,
  type NamedPrograms,
} from "./runtimes/choice.ts";

/** Who root is inside, in the numbering of the keeper for bases, where 0 is the user. */
const BASED_OWNER = { uid: 1, gid: 1 };

export interface GradesOptions {
  host: Host;
  runtimeDirectory: string;
  programs: NamedPrograms;
}

/** The grades of isolation that the provider has, each with a keeper and runtimes of its own. */
export class Grades {
  readonly #options: GradesOptions;
  readonly #namespaces: Residence;
  /** As `namespaces`, for an ordinary user's sandboxes on bases, in which there are more users than the agent. */
  readonly #based: Residence;
  readonly #gvisor: Residence;

  constructor(options: GradesOptions) {
    this.#options = options;
    const { runtimeDirectory, host: place, programs } = options;
    const host = (): ReturnType<ResidenceOptions["host"]> => ({
      machine: place.machine,
      directories: place.directories,
      owner: place.rootOwner,
    });
    this.#namespaces = new Residence({
      runtimeDirectory,
      host,
      find: () => findContainerRuntimes(place.machine, programs),
    });
    this.#based = new Residence({
      runtimeDirectory: join(runtimeDirectory, "based"),
      host: () => ({ ...host(), owner: BASED_OWNER }),
      find: () => findRangedRuntimes(place.machine, programs),
    });
    this.#gvisor = new Residence({
      runtimeDirectory: join(runtimeDirectory, "gvisor"),
      host,
      find: () => [requireSentry(place.machine, programs.runsc)],
    });
  }

  /** Throws PROVIDER_UNSUPPORTED. */
  of({
    isolation = "namespaces",
    base,
  }: Pick<SandboxSpecification, "isolation" | "base">): Residence {
    if (isolation === "namespaces") return base === undefined ? this.#namespaces : this.ofBases;
    if (isolation === "gvisor") return this.#gvisor;
    const message = `The local sandbox provider has no isolation ${isolation}.`;
    throw new CattlegridError("PROVIDER_UNSUPPORTED", message);
  }

  /** Under which bases are made, and sandboxes of the grade `namespaces` stand on them. */
  get ofBases(): Residence {
    return this.#options.host.ownRange === undefined ? this.#namespaces : this.#based;
  }

  /** Whether gVisor works here is tried when it is first asked for; whether it could is told at once. */
  present(): Pick<PresentCapabilities, "isolation" | "lacking"> {
    const { host, programs } = this.#options;
    try {
      requireSentry(host.machine, programs.runsc);
      return { isolation: ["namespaces", "gvisor"] };
    } catch (error) {
      if (!CattlegridError.is(error)) throw error;
      const lacking = { isolation: "gvisor" as const, why: error.message, remedy: error.hint };
      return { isolation: ["namespaces"], lacking: [lacking] };
    }
  }

  /** Removes what earlier keepers left. */
  async clear(): Promise<void> {
    for (const residence of this.#all) await residence.clear();
  }

  async close(): Promise<void> {
    await Promise.all(this.#all.map((residence) => residence.close()));
    for (const name of ["based", "gvisor"]) {
      await rm(join(this.#options.runtimeDirectory, name), { recursive: true, force: true });
    }
  }

  get #all(): readonly Residence[] {
    return [this.#namespaces, this.#based, this.#gvisor];
  }
}
