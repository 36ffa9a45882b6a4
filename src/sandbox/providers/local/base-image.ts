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

type ImageSource = BaseSource & { kind: "image" };
type Ask = (...argv: string[]) => Promise<string>;

/** Fetches an image by skopeo(1), which holds each blob to its digest, and unpacks it by umoci(1), once for the same digest. */
export async function unpackImage(
  context: BasesContext,
  { reference, digest }: ImageSource,
  signal: AbortSignal,
): Promise<SandboxBase> {
  const skopeo = requireProgram("skopeo");
  requireProgram("umoci");
  const isLayout = reference.startsWith("/");
  const source = isLayout
    ? `oci:${reference}`
    : `docker://${reference.replace(/^docker:\/\//, "")}`;
  const code = isLayout ? "BASE_INVALID" : "BASE_UNAVAILABLE";
  const message = `The image ${reference} cannot be read`;
  const ask: Ask = (...argv) => runProgram([skopeo, ...argv], { signal, message, code });
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
      await ask("copy", "--quiet", ...THIS_MACHINE, source, copied);
      await unpack(place, layout, { reference, signal });
    } finally {
      await discardTree(join(bases, layout), trash);
    }
    requireShell(join(place.directory, "rootfs"), reference);
    return "rootfs";
  });
  return { id };
}

async function checkMachine(ask: Ask, source: string, reference: string): Promise<void> {
  const text = await ask("inspect", "--config", ...THIS_MACHINE, source);
  const { architecture, os } = JSON.parse(text) as { architecture?: string; os?: string };
  if (architecture === ARCHITECTURE && os === "linux") return;
  const message = `The image ${reference} is for ${os}/${architecture}; this machine is linux/${ARCHITECTURE}.`;
  throw new CattlegridError("BASE_UNSUITABLE", message);
}

async function readDigest(ask: Ask, source: string): Promise<string> {
  const text = await ask("inspect", "--no-tags", ...THIS_MACHINE, source);
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
