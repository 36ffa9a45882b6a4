import { createHash } from "node:crypto";
import { chmod, mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { statSync } from "node:fs";
import { dirname, join } from "node:path";
import { rootCertificates } from "node:tls";
import { hasErrno } from "../../platform/native/libc.ts";
import { javaTrustStore } from "./java-trust-store.ts";

/** Where distributions keep the one file of all trusted certificates, under /etc. */
const BUNDLES = ["ssl/certs/ca-certificates.crt", "pki/tls/certs/ca-bundle.crt", "ssl/cert.pem"];
const BUNDLE_DEFAULT = "ssl/certs/ca-certificates.crt";
/** Where distributions keep the store of every Java they install, under /etc. */
const JAVA_STORES = ["ssl/certs/java/cacerts", "pki/ca-trust/extracted/java/cacerts"];
const ADDED = "ssl/certs/cattlegrid.pem";
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** Read in place of a program's own certificates, so they name the whole bundle. */
const BUNDLE_VARIABLES = [
  "SSL_CERT_FILE",
  "REQUESTS_CA_BUNDLE",
  "CURL_CA_BUNDLE",
  "GIT_SSL_CAINFO",
  "PIP_CERT",
  "CARGO_HTTP_CAINFO",
];
/** Read beside a program's own certificates; the bundle would only make every start of Node slower. */
const ADDING_VARIABLES = ["NODE_EXTRA_CA_CERTS"];

/** The variables by which programs inside find certificates that were added; none without any. */
export function trustEnvironment(certificates: readonly string[]): Record<string, string> {
  if (certificates.length === 0) return {};
  const bundle = `/etc/${certificateBundle()}`;
  return Object.fromEntries([
    ...BUNDLE_VARIABLES.map((name) => [name, bundle]),
    ...ADDING_VARIABLES.map((name) => [name, `/etc/${ADDED}`]),
  ]);
}

/**
 * The trust stores of the host, joined by `certificates`, as a directory to lay over the base of /etc; made once
 * per set. `stamp` changes with the host's own stores.
 */
export async function buildTrustStores(
  parent: string,
  certificates: readonly string[],
  stamp: string,
): Promise<{ name: string }> {
  const hash = createHash("sha256")
    .update(joinCertificates(certificates))
    .update(stamp)
    .digest("hex")
    .slice(0, 16);
  const name = `certificates-${hash}`;
  const directory = join(parent, name);
  if (statSync(directory, { throwIfNoEntry: false }) !== undefined) return { name };
  const building = await mkdtemp(`${directory}.`);
  // As root the sandbox's user is another one, who reads what it holds.
  await chmod(building, 0o755);
  for (const [path, content] of await listTrustFiles(certificates)) {
    await mkdir(join(building, dirname(path)), { recursive: true });
    await writeFile(join(building, path), content);
  }
  await moveOnce(building, directory);
  return { name };
}

/** Of several starts that need the same directory at once, the first leaves it there. */
export async function moveOnce(building: string, directory: string): Promise<void> {
  try {
    await rename(building, directory);
  } catch (error) {
    if (!hasErrno(error, "ENOTEMPTY", "EEXIST")) throw error;
    await rm(building, { recursive: true });
  }
}

/** The trust stores of the host, or Node's where it has none, joined by `certificates`: content by path under /etc. */
export async function listTrustFiles(
  certificates: readonly string[],
): Promise<readonly [string, string | Buffer][]> {
  const added = joinCertificates(certificates);
  const bundle = certificateBundle();
  const own = await readIfPresent(join("/etc", bundle));
  const text = (own === "" ? joinCertificates(rootCertificates) : own) + added;
  const java = JAVA_STORES.filter((path) => exists(join("/etc", path)));
  const store = (): Buffer => javaTrustStore(text.match(CERTIFICATE) ?? [], new Date());
  return [[bundle, text], [ADDED, added], ...java.map((path): [string, Buffer] => [path, store()])];
}

function joinCertificates(certificates: readonly string[]): string {
  return certificates.map((pem) => `${pem.trim()}\n`).join("");
}

/** Path under /etc of the file that holds every trusted certificate. */
function certificateBundle(): string {
  return BUNDLES.find((file) => exists(join("/etc", file))) ?? BUNDLE_DEFAULT;
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

async function readIfPresent(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return "";
    throw error;
  }
}
