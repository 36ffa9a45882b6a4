import { CattlegridError } from "../../errors/error.ts";
import type { BaseSource } from "../provider.ts";
import { DIGITS } from "./identity.ts";
import { requireProgram, runProgram } from "./program.ts";

const GO_ARCHITECTURES: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };
const ARCHITECTURE = GO_ARCHITECTURES[process.arch] ?? process.arch;
/** Of an image for several kinds of machine, the one for this. */
const THIS_MACHINE = ["--override-os=linux", `--override-arch=${ARCHITECTURE}`];

/** SECURITY: a template is not the person who builds it: what that person is signed in to is not for it to fetch. */
const ANONYMOUS = "--no-creds";
const ANONYMOUS_SOURCE = "--src-no-creds";

type ImageSource = BaseSource & { kind: "image" };
type Ask = (...argv: string[]) => Promise<string>;

export interface FoundImage {
  /** Of its content. */
  id: string;
  /** Brings all of it to a place, as skopeo(1) names places. */
  copyTo(place: string): Promise<void>;
}

/**
 * Asks skopeo(1), which holds each blob to its digest, for an image of a layout or registry; `registries` is what it has
 * before names of registries. Throws BASE_INVALID,
 * BASE_UNAVAILABLE, BASE_UNSUITABLE, BASE_CHECKSUM, DEPENDENCY_MISSING.
 */
export async function findImage(
  { reference, digest }: ImageSource,
  { registries, signal }: { registries: string; signal: AbortSignal },
): Promise<FoundImage> {
  const skopeo = requireProgram("skopeo", {
    why: `It fetches and checks the image ${reference}.`,
  });
  const isLayout = reference.startsWith("/");
  const source = isLayout
    ? `oci:${reference}`
    : `${registries}${withoutPrefix(reference, registries)}`;
  const message = `The image ${reference} cannot be read`;
  const explain = isLayout
    ? undefined
    : (text: string) => explainRegistry(text, { reference, registries });
  const ask: Ask = (...argv) =>
    runProgram([skopeo, ...argv], { signal, message, ...(explain && { explain }) });
  await checkMachine(ask, source, reference);
  const found = await readDigest(ask, source);
  if (digest !== undefined && digest !== found) throw otherDigest(reference, found);
  return {
    id: `image-${found.replace(/^sha256:/, "").slice(0, DIGITS)}`,
    async copyTo(place) {
      await ask("copy", "--quiet", ANONYMOUS_SOURCE, ...THIS_MACHINE, source, place);
    },
  };
}

export function withoutPrefix(reference: string, prefix: string): string {
  return reference.startsWith(prefix) ? reference.slice(prefix.length) : reference;
}

function otherDigest(reference: string, found: string): CattlegridError {
  const told = `The image ${reference} has the digest ${found}, and not the one that the template names.`;
  return new CattlegridError("BASE_CHECKSUM", told);
}

export function otherMachine(
  reference: string,
  { os, architecture }: { os?: string; architecture?: string },
): CattlegridError {
  const message = `The image ${reference} is for ${os}/${architecture}; this machine is linux/${ARCHITECTURE}.`;
  return new CattlegridError("BASE_UNSUITABLE", message);
}

/** What a registry's refusal means; anything else is that it cannot be reached. */
function explainRegistry(
  complaint: string,
  { reference, registries }: { reference: string; registries: string },
): CattlegridError | undefined {
  const name = withoutPrefix(reference, registries);
  if (/unauthorized|authentication required|access to the resource is denied/i.test(complaint)) {
    const message = `The image ${reference} is not to be had without signing in.`;
    return new CattlegridError("BASE_PRIVATE", message, {
      hint: `Fetch it yourself: \`skopeo copy ${registries}${name} oci:DIRECTORY:base\`, and name that directory as the template's image.`,
    });
  }
  if (/manifest unknown|name unknown|manifest for .* not found/i.test(complaint)) {
    const message = `The registry has no image ${reference}.`;
    return new CattlegridError("BASE_INVALID", message, {
      hint: "Correct the name, tag or digest of the template's image.",
    });
  }
  if (/x509:|gave HTTP response to HTTPS client/.test(complaint)) {
    const [host = ""] = name.split("/");
    const message = `The registry of the image ${reference} cannot prove who it is.`;
    return new CattlegridError("BASE_UNAVAILABLE", message, {
      hint: `Put the authority that vouches for it into /etc/containers/certs.d/${host}/ca.crt.`,
      details: { output: complaint },
    });
  }
  return undefined;
}

async function checkMachine(ask: Ask, source: string, reference: string): Promise<void> {
  const text = await ask("inspect", "--config", ANONYMOUS, ...THIS_MACHINE, source);
  const found = JSON.parse(text) as { architecture?: string; os?: string };
  if (found.architecture === ARCHITECTURE && found.os === "linux") return;
  throw otherMachine(reference, found);
}

async function readDigest(ask: Ask, source: string): Promise<string> {
  const text = await ask("inspect", "--no-tags", ANONYMOUS, ...THIS_MACHINE, source);
  return (JSON.parse(text) as { Digest: string }).Digest;
}
