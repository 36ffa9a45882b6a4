import { CattlegridError } from "../../errors/error.ts";
import { runProcess } from "../../platform/process.ts";

const RUNTIMES = ["crun", "runc", "runsc"] as const;
/** Where programs of the system are; the caller's PATH does not choose what sandboxes are made with. */
const SYSTEM_PATH = "/usr/bin:/usr/sbin:/bin:/sbin:/usr/local/bin:/usr/local/sbin";

export type Runtimes = Readonly<Record<(typeof RUNTIMES)[number], string | null>>;

/** The version of each OCI runtime by its own word, null for one that is not installed or does not run. */
export async function readRuntimes(): Promise<Runtimes> {
  const versions = await Promise.all(RUNTIMES.map(readVersion));
  return Object.fromEntries(RUNTIMES.map((name, index) => [name, versions[index]])) as Runtimes;
}

async function readVersion(name: string): Promise<string | null> {
  try {
    const environment = { PATH: SYSTEM_PATH };
    const { code, stdout } = await runProcess([name, "--version"], { environment });
    const version = /version (?:release-)?([\w.+~-]+)/.exec(stdout)?.[1];
    return code === 0 ? (version ?? null) : null;
  } catch (error) {
    if (CattlegridError.is(error) || (error as NodeJS.ErrnoException).code === "ENOENT")
      return null;
    throw error;
  }
}
