import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  X509Certificate,
} from "node:crypto";
import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { CattlegridError } from "../../errors/error.ts";
import { signAuthority, type Signer } from "./certificate.ts";

/** The one authority of an installation, which vouches inside sandboxes for hosts that are inspected. */
export interface Authority {
  /** What the trust stores inside hold, PEM. */
  readonly certificate: string;
  readonly signer: Signer;
}

const DAY_MS = 24 * 60 * 60 * 1000;
const LIFE_MS = 10 * 365 * DAY_MS;
/** Sandboxes that run on must not outlive the authority that they trust. */
const REST_MS_MIN = 60 * DAY_MS;
const OTHERS = 0o077;

/**
 * Reads the authority from `file`, or makes it. The caller holds the lock on the state, so nobody else makes one
 * at the same time. Throws AUTHORITY_INVALID for a file that is not ours alone, or broken.
 */
export function openAuthority(file: string, now = new Date()): Authority {
  const found = readAuthority(file);
  if (found !== undefined && restOf(found, now) > REST_MS_MIN) return found;
  return makeAuthority(file, now);
}

function readAuthority(file: string): Authority | undefined {
  const found = statSync(file, { throwIfNoEntry: false });
  if (found === undefined) return undefined;
  // SECURITY: whoever can read the key can pose as any host to every sandbox of this installation.
  if (found.uid !== process.getuid?.() || (found.mode & OTHERS) !== 0) {
    throw invalid(file, "can be read or written by other users");
  }
  try {
    return parseAuthority(readFileSync(file, "utf8"));
  } catch (error) {
    throw invalid(file, "holds no key with its certificate", error);
  }
}

function parseAuthority(text: string): Authority {
  const certificate = new X509Certificate(text);
  const privateKey = createPrivateKey(text);
  if (!certificate.checkPrivateKey(privateKey)) {
    throw new CattlegridError("AUTHORITY_INVALID", "the certificate is another key's");
  }
  const name = /^CN=(.*)$/m.exec(certificate.subject)?.[1] ?? "";
  const signer = { name, privateKey, publicKey: createPublicKey(privateKey) };
  return { certificate: certificate.toString(), signer };
}

function makeAuthority(file: string, now: Date): Authority {
  const keys = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const signer = { name: `Cattlegrid inspection ${now.toISOString().slice(0, 10)}`, ...keys };
  const from = new Date(now.getTime() - DAY_MS);
  const certificate = signAuthority(signer, { from, until: new Date(now.getTime() + LIFE_MS) });
  const key = keys.privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const unfinished = `${file}.new`;
  // SECURITY: 0600 from the first byte; the key never leaves this directory, nor this process.
  writeFileSync(unfinished, key + certificate, { mode: 0o600 });
  renameSync(unfinished, file);
  return { certificate, signer };
}

function restOf({ certificate }: Authority, now: Date): number {
  return new X509Certificate(certificate).validToDate.getTime() - now.getTime();
}

function invalid(file: string, why: string, cause?: unknown): CattlegridError {
  const message = `The inspection authority ${file} ${why}.`;
  return new CattlegridError("AUTHORITY_INVALID", message, { cause });
}
