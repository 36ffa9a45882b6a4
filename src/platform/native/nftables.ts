import koffi, { type LibraryHandle } from "koffi";
import { CattlegridError } from "../../errors/error.ts";

const LIBRARY = "libnftables.so.1";

/** Runs nft commands in the calling thread's network namespace, without starting a program. */
export interface Nftables {
  /** Applies `commands` as one transaction. */
  apply(commands: string): void;
}

/** Loads the library; fails with DEPENDENCY_MISSING where it is not installed. */
export function openNftables(): Nftables {
  const library = loadLibrary();
  const create = library.func("void *nft_ctx_new(uint32_t flags)");
  const free = library.func("void nft_ctx_free(void *context)");
  const run = library.func("int nft_run_cmd_from_buffer(void *context, const char *commands)");
  const bufferOutput = library.func("int nft_ctx_buffer_output(void *context)");
  const bufferErrors = library.func("int nft_ctx_buffer_error(void *context)");
  const errors = library.func("const char *nft_ctx_get_error_buffer(void *context)");
  return {
    apply(commands) {
      // A context belongs to the network namespace in which it was made, so each call makes its own.
      const context: unknown = create(0);
      try {
        bufferOutput(context);
        bufferErrors(context);
        if (run(context, commands) === 0) return;
        const problem = String(errors(context)).trim();
        throw new CattlegridError("EGRESS_UNAVAILABLE", `nftables refused the rules: ${problem}`);
      } finally {
        free(context);
      }
    },
  };
}

function loadLibrary(): LibraryHandle {
  try {
    return koffi.load(LIBRARY);
  } catch (error) {
    throw new CattlegridError("DEPENDENCY_MISSING", `${LIBRARY} cannot be loaded`, {
      hint: "Install it: `sudo apt-get install libnftables1`.",
      cause: error,
    });
  }
}
