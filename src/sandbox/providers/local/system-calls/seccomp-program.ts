import { readFileSync } from "node:fs";
import { join } from "node:path";
import { sandboxSeccomp } from "../../../guest/seccomp.ts";

const ANNOTATION = "run.oci.seccomp_bpf_data";
const INSTRUCTION_BYTES = 8;

export interface SeccompConfiguration {
  /** `linux.seccomp` of the OCI configuration. */
  seccomp: object;
  /** `annotations` of the same. */
  annotations: Readonly<Record<string, string>>;
}

/**
 * The filter of one engine's sandboxes. Compiling it is a quarter of a container's start, so the program that crun
 * compiled for the first one is handed to it for all others.
 *
 * SECURITY: the rules go along each time, so a runtime that does not know the annotation compiles them; the program is
 * read from the state of our own runtime, in a directory that only we can enter, and then kept in this process.
 */
export class SeccompProgram {
  readonly #seccomp = sandboxSeccomp();
  #compiled: string | undefined;

  configuration(): SeccompConfiguration {
    const annotations = this.#compiled === undefined ? {} : { [ANNOTATION]: this.#compiled };
    return { seccomp: this.#seccomp, annotations };
  }

  /** For building a template, whose steps install packages. */
  configurationToInstall(): SeccompConfiguration {
    return { seccomp: sandboxSeccomp(process.arch, { mayInstall: true }), annotations: {} };
  }

  /** Keeps what crun compiled for a container that now runs. Idempotent; other runtimes leave nothing to keep. */
  keep(stateRoot: string, containerId: string): void {
    if (this.#compiled !== undefined) return;
    const program = readProgram(join(stateRoot, containerId, "seccomp.bpf"));
    if (program !== undefined) this.#compiled = program.toString("base64");
  }
}

function readProgram(path: string): Buffer | undefined {
  try {
    const program = readFileSync(path);
    const isWhole = program.length > 0 && program.length % INSTRUCTION_BYTES === 0;
    return isWhole ? program : undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
