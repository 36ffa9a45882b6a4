import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { CattlegridError } from "../errors/error.ts";
import type { SandboxStart } from "../protocol/sandbox.ts";

export interface MirrorSources {
  environment: Readonly<Record<string, string | undefined>>;
  /** That a relative path begins at. */
  directory: string;
}

/** CATTLEGRID_MIRRORS and CATTLEGRID_MIRROR_CA of the calling shell, for creating and for starting. Throws MIRROR_INVALID. */
export async function readMirrors({
  environment,
  directory,
}: MirrorSources): Promise<SandboxStart["mirrors"]> {
  const targets = environment["CATTLEGRID_MIRRORS"];
  const file = environment["CATTLEGRID_MIRROR_CA"];
  if (targets === undefined || targets === "") return undefined;
  if (file === undefined || file === "") return { targets };
  return { targets, certificates: await readCertificates(resolve(directory, file)) };
}

async function readCertificates(path: string): Promise<string> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    const message = `The file ${path} of CATTLEGRID_MIRROR_CA cannot be read.`;
    throw new CattlegridError("MIRROR_INVALID", message, {
      hint: "Let CATTLEGRID_MIRROR_CA name a readable PEM file.",
      cause: error,
    });
  }
  if (text.includes("-----BEGIN CERTIFICATE-----")) return text;
  const message = `The file ${path} of CATTLEGRID_MIRROR_CA holds no certificate.`;
  throw new CattlegridError("MIRROR_INVALID", message, {
    hint: "Let CATTLEGRID_MIRROR_CA name a PEM file with the certificates that vouch for the mirrors.",
  });
}
