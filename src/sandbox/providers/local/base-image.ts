import { join } from "node:path";
import { CattlegridError } from "../../../errors/error.ts";
import type { BaseSource, SandboxBase } from "../../provider.ts";
import { discardTree } from "../../storage/directories.ts";
import { keepOnce, requireShell, type BasePlace, type BasesContext } from "./base-place.ts";
import { requireProgram, runProgram } from "./base-program.ts";

const DIGITS = 32;
const GO_ARCHITECTURES: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };
const ARCHITECTURE = GO_ARCHITECTURES[process.arch] ?? process.arch;
/** Of an image for several kinds of machine, the one for this. */
const THIS_MACHINE = ["--override-os=linux", `--override-arch=${ARCHITECTURE}`];

/** SECURITY: a template is not the person who builds it: what that person is signed in to is not for it to fetch. */
const ANONYMOUS = "--no-creds";
const ANONYMOUS_SOURCE = "--src-no-creds";

type ImageSource = BaseSource & { kind: "image" };
type Ask = (...argv: string[]) => Promise<string>;

/** Fetches an image by skopeo(1), which holds each blob to its digest, and unpacks it by umoci(1), once for the same digest. */
export async function unpackImage(
  context: BasesContext,
  { reference, digest }: ImageSource,
  signal: AbortSignal,
): Promise<SandboxBase> {
  const skopeo = requireProgram("skopeo", {
    why: `It fetches and checks the image ${reference}.`,
  });
  requireProgram("umoci", { why: `It unpacks the image ${reference}.` });
  const isLayout = reference.startsWith("/");
  const source = isLayout
    ? `oci:${reference}`
    : `docker://${reference.replace(/^docker:\/\//, "")}`;
  const message = `The image ${reference} cannot be read`;
  const explain = isLayout ? undefined : (text: string) => explainRegistry(text, reference);
  const ask: Ask = (...argv) =>
    runProgram([skopeo, ...argv], { signal, message, ...(explain && { explain }) });
  await checkMachine(ask, source, reference);
  const found = await readDigest(ask, source);
  if (digest !== undefined && digest !== found) {
    const told = `The image ${reference} has the digest ${found}, and not the one that the template names.`;
    throw new CattlegridError("BASE_CHECKSUM", told);
  }
  const id = `image-${found.replace(/^sha256:/, "").slice(0, DIGITS)}`;
  await keepOnce(context, id, async (place) => {
    const { bases, trash } = context.directories();
    const layout = `${place.name}.layout`;
    try {
      const copied = `oci:${join(bases, layout)}:base`;
      await ask("copy", "--quiet", ANONYMOUS_SOURCE, ...THIS_MACHINE, source, copied);
      await unpack(place, layout, { reference, signal });
    } finally {
      await discardTree(join(bases, layout), trash);
    }
    requireShell(join(place.directory, "rootfs"), reference);
    return "rootfs";
  });
  return { id };
}

/** What a registry's refusal means; anything else is that it cannot be reached. */
function explainRegistry(complaint: string, reference: string): CattlegridError | undefined {
  if (/unauthorized|authentication required|access to the resource is denied/i.test(complaint)) {
    const message = `The image ${reference} is not to be had without signing in.`;
    return new CattlegridError("BASE_PRIVATE", message, {
      hint: `Fetch it yourself: \`skopeo copy docker://${reference} oci:DIRECTORY:base\`, and name that directory as the template's image.`,
    });
  }
  if (/manifest unknown|name unknown|manifest for .* not found/i.test(complaint)) {
    const message = `The registry has no image ${reference}.`;
    return new CattlegridError("BASE_INVALID", message, {
      hint: "Correct the name, tag or digest of the template's image.",
    });
  }
  if (/x509:|gave HTTP response to HTTPS client/.test(complaint)) {
    const [host = ""] = reference.replace(/^docker:\/\//, "").split("/");
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
  const { architecture, os } = JSON.parse(text) as { architecture?: string; os?: string };
  if (architecture === ARCHITECTURE && os === "linux") return;
  const message = `The image ${reference} is for ${os}/${architecture}; this machine is linux/${ARCHITECTURE}.`;
  throw new CattlegridError("BASE_UNSUITABLE", message);
}

async function readDigest(ask: Ask, source: string): Promise<string> {
  const text = await ask("inspect", "--no-tags", ANONYMOUS, ...THIS_MACHINE, source);
  return (JSON.parse(text) as { Digest: string }).Digest;
}

async function unpack(
  { enter, isOwn, parent, inside }: BasePlace,
  layout: string,
  { reference, signal }: { reference: string; signal: AbortSignal },
): Promise<void> {
  const from = `${join(parent, layout)}:base`;
  const whose = isOwn ? [] : ["--rootless"];
  const argv = ["umoci", "raw", "unpack", ...whose, "--image", from, join(inside, "rootfs")];
  const message = `The image ${reference} cannot be unpacked`;
  await runProgram([...enter, ...argv], { signal, message });
}
