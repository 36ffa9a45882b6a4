import { existsSync, mkdtempSync, renameSync } from "node:fs";
import { rm } from "node:fs/promises";
import { dirname } from "node:path";
import { hasErrno } from "../../../../platform/native/libc.ts";
import { runProcess } from "../../../../platform/process.ts";
import { HELPER_MAIN } from "./helper-plan.ts";

/**
 * What Node makes of the helper's program before it runs it, made once and kept, as it is a good part of what a helper
 * takes. SECURITY: made here, and read-only where a helper runs.
 */
export class CompiledProgram {
  readonly #directory: string;
  #making: Promise<void> | undefined;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Undefined until it is there; nobody waits for it. */
  find(): string | undefined {
    if (existsSync(this.#directory)) return this.#directory;
    this.#making ??= this.#make();
    return undefined;
  }

  /** Waits for what is being made. */
  async close(): Promise<void> {
    await this.#making;
  }

  async #make(): Promise<void> {
    const made = mkdtempSync(`${this.#directory}-`);
    const environment = { PATH: "/usr/bin:/bin", NODE_COMPILE_CACHE: made };
    try {
      await runProcess([process.execPath, HELPER_MAIN], { environment, cwd: dirname(HELPER_MAIN) });
      // For a helper, which is another user to this machine; there is nothing to hide in it.
      await runProcess(["chmod", "-R", "a+rX", made], { environment, cwd: "/" });
      renameSync(made, this.#directory);
    } catch (error) {
      await rm(made, { recursive: true, force: true });
      // Another engine was faster.
      if (!hasErrno(error, "EEXIST", "ENOTEMPTY")) throw error;
    }
  }
}
