import { randomBytes } from "node:crypto";
import { xchacha20poly1305 } from "@noble/ciphers/chacha.js";
import { CattlegridError } from "../errors/error.ts";
import type { VaultKey } from "./key-set.ts";
import type { VaultName } from "./name.ts";

/**
 * One sealed value: `cgvault`, the form's version (1 byte), the key's id (8 bytes), when it was written (8 bytes,
 * milliseconds since 1970, big-endian), a nonce (24 bytes), then the encrypted value with its tag (16 bytes).
 */
const MAGIC = Buffer.from("cgvault", "latin1");
const FORM_VERSION = 1;
const VERSION_AT = MAGIC.length;
const KEY_ID_AT = VERSION_AT + 1;
const TIME_AT = KEY_ID_AT + 8;
const NONCE_AT = TIME_AT + 8;
const HEADER_BYTES = NONCE_AT;
const NONCE_BYTES = 24;
const TAG_BYTES = 16;
const OVERHEAD_BYTES = HEADER_BYTES + NONCE_BYTES + TAG_BYTES;

/** What a sealed value says without its key. */
export interface SealedHeader {
  keyId: string;
  changedAtMs: number;
}

export const SEALED_HEADER_BYTES = HEADER_BYTES;

/** How long the value is that a sealed one of this size holds. */
export function valueBytes(sealedBytes: number): number {
  return Math.max(0, sealedBytes - OVERHEAD_BYTES);
}

export interface Sealing {
  name: VaultName;
  key: VaultKey;
  changedAtMs: number;
}

export function seal(value: Uint8Array, { name, key, changedAtMs }: Sealing): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  MAGIC.copy(header);
  header.writeUInt8(FORM_VERSION, VERSION_AT);
  header.write(key.id, KEY_ID_AT, "hex");
  header.writeBigUInt64BE(BigInt(changedAtMs), TIME_AT);
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = xchacha20poly1305(key.bytes, nonce, bind(header, name));
  return Buffer.concat([header, nonce, cipher.encrypt(value)]);
}

/** Throws VAULT_TOO_NEW for a form of a later program, VAULT_CORRUPT for what is no sealed value. */
export function readHeader(sealed: Uint8Array, name: VaultName): SealedHeader {
  const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength);
  if (bytes.length < HEADER_BYTES || !bytes.subarray(0, MAGIC.length).equals(MAGIC)) {
    throw corrupt(name, "it is no sealed value, or not a whole one");
  }
  const version = bytes.readUInt8(VERSION_AT);
  if (version > FORM_VERSION) {
    const message = `${name} in the vault has form ${version}; this program knows up to ${FORM_VERSION}.`;
    throw new CattlegridError("VAULT_TOO_NEW", message);
  }
  return {
    keyId: bytes.toString("hex", KEY_ID_AT, TIME_AT),
    changedAtMs: Number(bytes.readBigUInt64BE(TIME_AT)),
  };
}

/** Throws VAULT_CORRUPT when a byte of it, or its name, is not what was sealed. */
export function unseal(sealed: Uint8Array, name: VaultName, key: VaultKey): Uint8Array {
  if (sealed.length < OVERHEAD_BYTES) throw corrupt(name, "it is not whole");
  const header = sealed.subarray(0, HEADER_BYTES);
  const nonce = sealed.subarray(NONCE_AT, NONCE_AT + NONCE_BYTES);
  const cipher = xchacha20poly1305(key.bytes, nonce, bind(header, name));
  try {
    return cipher.decrypt(sealed.subarray(NONCE_AT + NONCE_BYTES));
  } catch (error) {
    throw corrupt(name, "its bytes were changed, or it was put under another name", error);
  }
}

/** SECURITY: form, key, time and name are authenticated with the value, so no file can stand in for another. */
function bind(header: Uint8Array, name: VaultName): Uint8Array {
  return Buffer.concat([header, Buffer.from(name, "utf8")]);
}

function corrupt(name: VaultName, why: string, cause?: unknown): CattlegridError {
  const message = `${name} in the vault cannot be used: ${why}.`;
  return new CattlegridError("VAULT_CORRUPT", message, cause === undefined ? {} : { cause });
}
