import type { Logger } from "../../platform/logger.ts";
import type { SandboxRow } from "../../store/sandbox-rows.ts";
import { isCopied, type Copies } from "./copies.ts";
import type { LaunchedSandbox } from "../life/launch.ts";
import type { StartContext } from "../life/lifecycle.ts";
import type { RunningSandbox } from "../provider.ts";

export interface CopyFetchingOptions {
  copies: Copies;
  logger: Logger;
  /** Throws SANDBOX_NOT_FOUND. */
  find(id: string): Promise<SandboxRow>;
  running(id: string): RunningSandbox | undefined;
}

/** When the copies of workspaces are sent and fetched; nothing is done for sandboxes that have none. */
export interface CopyFetching {
  /** Ends what was launched when it cannot be given its copy. */
  send(row: SandboxRow, context: StartContext, launched: LaunchedSandbox): Promise<void>;
  /** Of a running sandbox. Throws CHANGES_UNREACHABLE. */
  fetch(id: string, signal: AbortSignal): Promise<void>;
  /** For the last time before it ends. Never fails: what was not brought out shows in `isFetched`. */
  finish(id: string): Promise<void>;
  isFetched(row: SandboxRow): boolean;
  /** It does not run, and not all that was changed in it was brought out. */
  isOlder(row: SandboxRow): boolean;
}

const FINISH_TIMEOUT_MS = 5 * 60_000;

export function createCopyFetching(options: CopyFetchingOptions): CopyFetching {
  const { copies, logger } = options;
  const isFetched = (row: SandboxRow): boolean =>
    !isCopied(row) || copies.records(row.id).isFetched;
  const fetch = async (id: string, signal: AbortSignal): Promise<void> => {
    const row = await options.find(id);
    const running = options.running(id);
    if (running !== undefined && isCopied(row)) await copies.fetch(row, running, signal);
  };
  return {
    async send(row, context, { running, gate }) {
      if (!isCopied(row)) return;
      try {
        await copies.send(row, running, context);
      } catch (error) {
        // Without the user's files an agent would make others in their place.
        await running.stop();
        await gate.close();
        throw error;
      }
    },
    fetch,
    async finish(id) {
      try {
        if (options.running(id) === undefined) return;
        await fetch(id, AbortSignal.timeout(FINISH_TIMEOUT_MS));
        if (isCopied(await options.find(id))) copies.records(id).isFetched = true;
      } catch (error) {
        logger.warn("changes were not brought out", { id, error });
      }
    },
    isFetched,
    isOlder: (row) => options.running(row.id) === undefined && !isFetched(row),
  };
}
