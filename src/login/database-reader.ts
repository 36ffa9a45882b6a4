import { extname } from "node:path";
import { Worker } from "node:worker_threads";
import { CattlegridError } from "../errors/error.ts";
import type { DatabaseAnswer, DatabaseTask } from "./database.ts";

const TIMEOUT_MS = 60_000;
const HEAP_MIB_MAX = 64;

/**
 * Examines a database in a thread of its own, so that a large or hostile one holds nobody up. Throws SIGN_IN_INVALID with what is
 * wrong with it.
 */
export async function readDatabase(
  task: DatabaseTask,
): Promise<Extract<DatabaseAnswer, { bytes: unknown }>> {
  const entry = new URL(`./database-worker${extname(import.meta.url)}`, import.meta.url);
  // SECURITY: nothing of the daemon's environment is in reach of what reads a stranger's file.
  const resourceLimits = { maxOldGenerationSizeMb: HEAP_MIB_MAX };
  const worker = new Worker(entry, { env: {}, resourceLimits });
  const answered = Promise.withResolvers<DatabaseAnswer>();
  const late = setTimeout(() => answered.reject(refuse("reading it took too long")), TIMEOUT_MS);
  worker.once("message", (answer: DatabaseAnswer) => answered.resolve(answer));
  worker.once("error", (error) => answered.reject(error));
  worker.once("exit", () => answered.reject(refuse("the database cannot be read")));
  try {
    const { tables, whole, rows } = task.description;
    worker.postMessage({ ...task, description: { tables, whole, rows } });
    const answer = await answered.promise;
    if ("refused" in answer) throw refuse(answer.refused);
    return answer;
  } finally {
    clearTimeout(late);
    // Not waited for: SQLite leaves what it is at only when it is done with it.
    worker.unref();
    void worker.terminate();
  }
}

function refuse(why: string): CattlegridError {
  return new CattlegridError("SIGN_IN_INVALID", `This is no sign-in of this agent: ${why}.`);
}
