import type { KeptSignIn, SignInDatabase } from "../agent/agent.ts";
import { CattlegridError } from "../errors/error.ts";
import { SIGN_IN_BYTES_MAX, type SignInFiles } from "./bundle.ts";
import { readDatabase } from "./database-reader.ts";
import { encodeFiles, type StoredSignIn } from "./stored-sign-in.ts";

/** What is kept of a sign-in's files, and what sandboxes get of it. */
export type SignInParts = Pick<StoredSignIn, "whole" | "lent" | "lentValues" | "expiresAt">;

/** Judges the files of a sign-in, wherever they come from. Throws SIGN_IN_INVALID, BUNDLE_TOO_LARGE. */
export async function takeApart(kept: KeptSignIn, files: SignInFiles): Promise<SignInParts> {
  const [name = ""] = kept.files;
  const main = files.get(name);
  if (main === undefined) throw invalid(`there is no ${name}`);
  const sizeBytes = [...files.values()].reduce((sum, { length }) => sum + length, 0);
  if (sizeBytes > SIGN_IN_BYTES_MAX) {
    const message = `The sign-in has ${sizeBytes} bytes; ${SIGN_IN_BYTES_MAX} are kept at most.`;
    throw new CattlegridError("BUNDLE_TOO_LARGE", message);
  }
  if (kept.database === undefined) return takeFilesApart(kept, files);
  const log = files.get(`${name}-wal`);
  const task = { database: main, ...(log && { log }), description: kept.database, distils: true };
  const { renewal } = kept.database;
  const { bytes, values } = await readDatabase(task);
  const expiresAt = renewal.expiresAt(values);
  if (expiresAt === undefined) throw invalid("nobody is signed in there");
  const lentValues = renewal.lend(values);
  const lent = await readDatabase({
    database: bytes,
    description: kept.database,
    distils: true,
    values: lentValues,
  });
  return {
    whole: encodeFiles(new Map([[name, bytes]])),
    lent: encodeFiles(new Map([[name, lent.bytes]])),
    lentValues,
    expiresAt: expiresAt.toISOString(),
  };
}

function takeFilesApart(kept: KeptSignIn, files: SignInFiles): SignInParts {
  const wanted = new Map([...files].filter(([path]) => kept.files.includes(path)));
  const whole = encodeFiles(wanted);
  return { whole, lent: whole };
}

/** A database whose sign-in is to be renewed at once. */
export async function expire(description: SignInDatabase, database: Buffer): Promise<Buffer> {
  const { values } = await readDatabase({ database, description, distils: true });
  const expired = description.renewal.expire(values);
  const task = { database, description, distils: true, values: expired };
  return Buffer.from((await readDatabase(task)).bytes);
}

function invalid(why: string): CattlegridError {
  return new CattlegridError("SIGN_IN_INVALID", `This is no sign-in of this agent: ${why}.`);
}
