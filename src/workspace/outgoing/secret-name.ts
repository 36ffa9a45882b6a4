/** Templates of such files, which are made to be shared. */
const TEMPLATE = /\.(?:example|sample|template|dist|defaults?)$/i;

const NAMES: readonly { pattern: RegExp; why: string }[] = [
  { pattern: /^\.env(?:\..+)?$/i, why: "may hold secrets (environment file)" },
  { pattern: /^\.envrc(?:\..+)?$/i, why: "may hold secrets (environment file)" },
  { pattern: /^[._]netrc$/i, why: "holds passwords" },
  { pattern: /^\.git-credentials$/i, why: "holds passwords" },
  { pattern: /^\.pgpass$/i, why: "holds passwords" },
  { pattern: /^id_(?:rsa|dsa|ecdsa|ed25519)(?:_sk)?$/i, why: "is a private key" },
  { pattern: /\.(?:p12|pfx|jks|keystore|kdbx|ppk)$/i, why: "is a store of keys" },
  { pattern: /^\.(?:ssh|gnupg|aws|kube|azure)$/i, why: "holds keys and sign-ins" },
];

/**
 * Why a file is not sent for its name alone; undefined when nothing speaks against it. What is in texts is searched besides.
 * Pure.
 */
export function whySecretName(path: string): string | undefined {
  for (const name of path.split("/")) {
    if (TEMPLATE.test(name)) continue;
    const found = NAMES.find(({ pattern }) => pattern.test(name));
    if (found !== undefined) return found.why;
  }
  return undefined;
}
