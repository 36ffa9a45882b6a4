import { CattlegridError } from "../errors/error.ts";

/** What a vault keeps: values that a user gave, and sign-ins of agents. */
export const VAULT_KINDS = ["secret", "login"] as const;
export type VaultKind = (typeof VAULT_KINDS)[number];

/** `secret/NAME` or `login/NAME`; NAME may have up to four parts with slashes between. */
export type VaultName = `${VaultKind}/${string}`;

const PART = "[A-Za-z0-9][A-Za-z0-9._@+-]*";
const NAME = new RegExp(`^(secret|login)/${PART}(/${PART}){0,3}$`);
const NAME_LENGTH_MAX = 136;

export interface NamePlace {
  kind: VaultKind;
  /** A file's name that holds no slash and does not begin with a period. */
  file: string;
}

/** SECURITY: the name becomes a file's; nothing that could lead elsewhere passes. Throws SECRET_INVALID. */
export function placeName(name: string): NamePlace {
  if (!NAME.test(name) || name.length > NAME_LENGTH_MAX) {
    const message = `${JSON.stringify(name)} is no name of something in the vault.`;
    throw new CattlegridError("SECRET_INVALID", message);
  }
  const slash = name.indexOf("/");
  return {
    kind: name.slice(0, slash) as VaultKind,
    file: encodeURIComponent(name.slice(slash + 1)),
  };
}

/** Undefined for a file that `placeName` gives to no name. */
export function nameOfFile(kind: VaultKind, file: string): VaultName | undefined {
  try {
    const name: VaultName = `${kind}/${decodeURIComponent(file)}`;
    return placeName(name).file === file ? name : undefined;
  } catch (error) {
    if (error instanceof URIError || CattlegridError.is(error, "SECRET_INVALID")) return undefined;
    throw error;
  }
}
