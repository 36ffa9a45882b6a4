import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { CattlegridError } from "../errors/error.ts";
import type { SandboxStart } from "../protocol/sandbox.ts";

export interface MirrorSources {
  environment: Readonly<Record<string, string | undefined>>;
  /** That a relative path begins at. */
  directory: string;
}

export interface ConfiguredMirrors {
  /** `address:port` by `name:port`. */
  mirrors: Readonly<Record<string, string>>;
  /** Absolute path of a PEM file. */
  mirrorCertificates?: string;
}

/**
 * CATTLEGRID_MIRRORS and CATTLEGRID_MIRROR_CA of the calling shell, else the mirrors of a configuration, for creating and
 * for starting. Throws MIRROR_INVALID.
 */
export async function readMirrors(
  { environment, directory }: MirrorSources,
  configured: ConfiguredMirrors = { mirrors: {} },
): Promise<SandboxStart["mirrors"]> {
  const targets = environment["CATTLEGRID_MIRRORS"];
  const file = environment["CATTLEGRID_MIRROR_CA"];
  if (targets === undefined || targets === "") return readConfigured(configured);
  if (file === undefined || file === "") return { targets };
  const certificates = await readCertificates(resolve(directory, file), "CATTLEGRID_MIRROR_CA");
  return { targets, certificates };
}

async function readConfigured({
  mirrors,
  mirrorCertificates: path,
}: ConfiguredMirrors): Promise<SandboxStart["mirrors"]> {
  const targets = Object.entries(mirrors).map(([name, address]) => `${name}=${address}`);
  if (targets.length === 0) return undefined;
  if (path === undefined) return { targets: targets.join(",") };
  const certificates = await readCertificates(path, "mirrorCertificates");
  return { targets: targets.join(","), certificates };
}

async function readCertificates(path: string, setting: string): Promise<string> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    const message = `The file ${path} of ${setting} cannot be read.`;
    throw new CattlegridError("MIRROR_INVALID", message, {
      hint: `Let ${setting} name a readable PEM file.`,
      cause: error,
    });
  }
  if (text.includes("-----BEGIN CERTIFICATE-----")) return text;
  const message = `The file ${path} of ${setting} holds no certificate.`;
  throw new CattlegridError("MIRROR_INVALID", message, {
    hint: `Let ${setting} name a PEM file with the certificates that vouch for the mirrors.`,
  });
}
