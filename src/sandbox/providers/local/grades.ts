import { rm } from "node:fs/promises";
import { join } from "node:path";
import { CattlegridError } from "../../../errors/error.ts";
import type { PresentCapabilities, SandboxSpecification } from "../../provider.ts";
import type { Host } from "./host.ts";
import { Residence, type ResidenceOptions } from "./residence.ts";
import { findContainerRuntimes, requireSentry, type NamedPrograms } from "./runtimes/choice.ts";

export interface GradesOptions {
  host: Host;
  runtimeDirectory: string;
  programs: NamedPrograms;
}

/** The grades of isolation that the provider has, each with a keeper and runtimes of its own. */
export class Grades {
  readonly #options: GradesOptions;
  readonly #namespaces: Residence;
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
    this.#gvisor = new Residence({
      runtimeDirectory: this.#sentryDirectory,
      host,
      find: () => [requireSentry(place.machine, programs.runsc)],
    });
  }

  /** Throws PROVIDER_UNSUPPORTED. */
  of({ isolation = "namespaces" }: Pick<SandboxSpecification, "isolation">): Residence {
    if (isolation === "namespaces") return this.#namespaces;
    if (isolation === "gvisor") return this.#gvisor;
    const message = `The local sandbox provider has no isolation ${isolation}.`;
    throw new CattlegridError("PROVIDER_UNSUPPORTED", message);
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
    for (const residence of [this.#namespaces, this.#gvisor]) await residence.clear();
  }

  async close(): Promise<void> {
    await Promise.all([this.#namespaces.close(), this.#gvisor.close()]);
    await rm(this.#sentryDirectory, { recursive: true, force: true });
  }

  get #sentryDirectory(): string {
    return join(this.#options.runtimeDirectory, "gvisor");
  }
}
