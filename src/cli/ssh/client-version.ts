import { CattlegridError } from "../../errors/error.ts";
import { runProcess } from "../../platform/process.ts";

/** Of OpenSSH: 10.2 is `[10, 2]`. */
export type ClientVersion = readonly [major: number, minor: number];

/** The first that asks a command for host keys. */
const NEEDED: ClientVersion = [8, 5];

/**
 * Which OpenSSH is installed; undefined when none is, or nobody can tell. Throws DEPENDENCY_MISSING for one that is too old: a
 * word that it does not know would end each `ssh`, to whatever host.
 */
export async function readClientVersion(): Promise<ClientVersion | undefined> {
  const version = parseClientVersion(await askClient());
  if (version === undefined || isAtLeast(version, NEEDED)) return version;
  const message = `This is OpenSSH ${version.join(".")}; ${NEEDED.join(".")} or newer is needed.`;
  throw new CattlegridError("DEPENDENCY_MISSING", message, {
    hint: "Install a newer OpenSSH client; `cattlegrid exec` and `cp` need none.",
  });
}

async function askClient(): Promise<string> {
  try {
    return (await runProcess(["ssh", "-V"])).stderr;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
    throw error;
  }
}

export function parseClientVersion(text: string): ClientVersion | undefined {
  const found = /\bOpenSSH_(?:for_Windows_)?(\d+)\.(\d+)/.exec(text);
  return found === null ? undefined : [Number(found[1]), Number(found[2])];
}

export function isAtLeast([major, minor]: ClientVersion, least: ClientVersion): boolean {
  return major > least[0] || (major === least[0] && minor >= least[1]);
}
