import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { findArchive } from "../../bases/archive.ts";
import { requireShell } from "../../bases/directory.ts";
import { findImage } from "../../bases/image.ts";
import { requireProgram, runProgram } from "../../bases/program.ts";
import type { BaseSource, SandboxBase } from "../../provider.ts";
import { discardTree } from "../../storage/directories.ts";
import { keepOnce, placeName, type BasePlace, type BasesContext } from "./base-place.ts";

const REGISTRIES = "docker://";

/** Unpacks an archive once for the same content. */
export async function unpackArchive(
  context: BasesContext,
  source: BaseSource & { kind: "tar" },
  signal: AbortSignal,
): Promise<SandboxBase> {
  const { path } = source;
  const { id: content, compression } = await findArchive(source, signal);
  const id = placeName(context, content);
  await keepOnce(context, id, async (place) => {
    const fd = openSync(path, "r");
    try {
      // SECURITY: what is hostile in it (devices, links, names with ..) meets an account that is nobody's on this machine, in
      // no network, and tar itself takes no name out of the directory. Devices are ours to make.
      const whose = place.isOwn ? "--same-permissions" : "--no-same-owner";
      const options = ["--numeric-owner", whose, "--exclude=./dev/*", "--exclude=dev/*"];
      // From a pipe tar cannot find out by itself how it is compressed.
      const how = compression === undefined ? [] : [compression.flag];
      const argv = ["tar", "--extract", ...how, ...options, "--directory", place.inside];
      const message = `The archive ${path} cannot be unpacked`;
      await runProgram([...place.enter, ...argv], { signal, stdin: fd, message });
    } finally {
      closeSync(fd);
    }
    requireShell(place.directory, path);
  });
  return { id };
}

/** Fetches an image and unpacks it by umoci(1), once for the same digest. */
export async function unpackImage(
  context: BasesContext,
  source: BaseSource & { kind: "image" },
  signal: AbortSignal,
): Promise<SandboxBase> {
  const { reference } = source;
  requireProgram("umoci", { why: `It unpacks the image ${reference}.` });
  const { id: content, copyTo } = await findImage(source, { registries: REGISTRIES, signal });
  const id = placeName(context, content);
  await keepOnce(context, id, async (place) => {
    const { bases, trash } = context.directories();
    const layout = `${place.name}.layout`;
    try {
      await copyTo(`oci:${join(bases, layout)}:base`);
      await unpack(place, layout, { reference, signal });
    } finally {
      await discardTree(join(bases, layout), trash);
    }
    requireShell(join(place.directory, "rootfs"), reference);
    return "rootfs";
  });
  return { id };
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
