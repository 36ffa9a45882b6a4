import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { parse } from "yaml";
import { z } from "zod";
import { CattlegridError } from "../../errors/error.ts";
import { parseRange, type AddressRange } from "../address.ts";
import { readHostPattern, type HostPattern } from "../host-name.ts";
import { credentialSourceSchema, type CredentialSource } from "./credentials.ts";

/** The proxy through which an operator lets everything out that is not excepted. */
export interface UpstreamProxy {
  host: string;
  port: number;
  /** The proxy itself is spoken to over TLS. */
  isTls: boolean;
  credentials?: CredentialSource;
  /** PEM certificates that vouch for the proxy, and for servers whose TLS it opens. */
  certificates: readonly string[];
  exceptNames: readonly HostPattern[];
  exceptRanges: readonly AddressRange[];
  /** Who turns names into addresses: the gateway, which then checks them, or the proxy alone. */
  resolve: "here" | "proxy";
}

const fileSchema = z.strictObject({
  proxy: z.string(),
  credentials: credentialSourceSchema.optional(),
  certificates: z.string().optional(),
  except: z.array(z.string()).optional(),
  resolve: z.enum(["here", "proxy"]).optional(),
});

/**
 * Reads the first of `paths` that exists; none is no proxy. Throws UPSTREAM_INVALID naming the file and what is
 * wrong: SECURITY: a file that cannot be read whole never means that everything goes out directly.
 */
export function readUpstream(paths: readonly string[]): UpstreamProxy | undefined {
  for (const path of paths) {
    const text = readIfPresent(path);
    if (text !== undefined) return parseUpstream(path, text);
  }
  return undefined;
}

function parseUpstream(path: string, text: string): UpstreamProxy {
  const read = fileSchema.safeParse(parseYaml(path, text));
  if (!read.success) throw invalid(path, z.prettifyError(read.error).replaceAll("\n", " "));
  const { proxy, credentials, certificates, except = [], resolve: resolving = "here" } = read.data;
  const excepted = except.map((each) => readException(path, each));
  return {
    ...readProxyAddress(path, proxy),
    ...(credentials === undefined ? {} : { credentials }),
    certificates: certificates === undefined ? [] : readCertificates(path, certificates),
    exceptNames: excepted.filter((each) => "kind" in each),
    exceptRanges: excepted.filter((each) => "base" in each),
    resolve: resolving,
  };
}

function readProxyAddress(
  path: string,
  text: string,
): Pick<UpstreamProxy, "host" | "port" | "isTls"> {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol) || url.hostname === "") {
    throw invalid(path, "`proxy` is not http://HOST:PORT or https://HOST:PORT.");
  }
  if (url.username !== "" || url.password !== "") {
    // SECURITY: not repeated in the message.
    throw invalid(path, "`proxy` holds credentials; name their source under `credentials`.");
  }
  if (url.pathname !== "/" || url.search !== "" || url.hash !== "") {
    throw invalid(path, "`proxy` has more than a host and a port.");
  }
  const isTls = url.protocol === "https:";
  const port = url.port === "" ? (isTls ? 443 : 80) : Number(url.port);
  return { host: url.hostname.replace(/^\[(.*)\]$/, "$1"), port, isTls };
}

function readException(path: string, text: string): HostPattern | AddressRange {
  const range = parseRange(text);
  if (range !== undefined) return range;
  const pattern = readHostPattern(text);
  if (pattern.ok) return pattern.value;
  throw invalid(path, `\`except\` names ${JSON.stringify(text)}: ${pattern.problem}.`);
}

function readCertificates(path: string, named: string): readonly string[] {
  const file = resolve(dirname(path), named);
  const text = readIfPresent(file) ?? "";
  const found = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  try {
    for (const pem of found) new X509Certificate(pem);
  } catch (error) {
    throw invalid(path, `${file} holds a broken certificate.`, error);
  }
  if (found.length === 0) throw invalid(path, `${file} holds no certificate in PEM form.`);
  return found.map((pem) => `${pem}\n`);
}

function parseYaml(path: string, text: string): unknown {
  try {
    return parse(text);
  } catch (error) {
    const { message } = error as Error;
    throw invalid(path, `it is not YAML: ${message.split("\n", 1)[0] ?? ""}`);
  }
}

function readIfPresent(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw invalid(path, `it cannot be read (${code ?? "unknown"}).`, error);
  }
}

function invalid(path: string, problem: string, cause?: unknown): CattlegridError {
  return new CattlegridError("UPSTREAM_INVALID", `The upstream file ${path}: ${problem}`, {
    cause,
  });
}
