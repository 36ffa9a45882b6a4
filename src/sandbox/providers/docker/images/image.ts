import { CattlegridError } from "../../../../errors/error.ts";
import { locatePackageDirectory } from "../../../../platform/version.ts";
import type { Engine, ImageFacts } from "../engine/engine.ts";

export const IMAGE_DEFAULT = "cattlegrid-base";

/** Makes the default image, from the file that comes with this program. */
export function buildCommand(): string {
  const path = locatePackageDirectory("images/base");
  const word = /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", String.raw`'\''`)}'`;
  return `docker build -t ${IMAGE_DEFAULT} ${word}`;
}

const ARCHITECTURES: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };

const USERLAND_DIGITS = 12;

/** Throws IMAGE_MISSING, or IMAGE_UNSUITABLE for one of another kind of machine. */
export async function checkImage(
  engine: Engine,
  name: string,
  signal: AbortSignal,
): Promise<ImageFacts> {
  const found = await find(engine, name, signal);
  if (isOfThisMachine(found)) return found;
  const wanted = thisArchitecture();
  const message = `The image ${name} is for ${found.Os}/${found.Architecture}; this machine is linux/${wanted}.`;
  throw new CattlegridError("IMAGE_UNSUITABLE", message, {
    hint: `Build or load it for linux/${wanted}.`,
  });
}

export function isOfThisMachine({ Os: os, Architecture: architecture }: ImageFacts): boolean {
  return os === "linux" && architecture === thisArchitecture();
}

function thisArchitecture(): string {
  return ARCHITECTURES[process.arch] ?? process.arch;
}

/** Of an image, for the names of layers. */
export function userlandOf({ Id: id }: Pick<ImageFacts, "Id">): string {
  return `image-${id.replace(/^sha256:/, "").slice(0, USERLAND_DIGITS)}`;
}

async function find(engine: Engine, name: string, signal: AbortSignal): Promise<ImageFacts> {
  try {
    return await engine.inspectImage(name, signal);
  } catch (error) {
    if (!CattlegridError.is(error, "IMAGE_MISSING")) throw error;
    const message = `The Docker engine has no image called ${name}.`;
    throw new CattlegridError("IMAGE_MISSING", message, {
      hint:
        name === IMAGE_DEFAULT
          ? `Build it from the file that comes with Cattlegrid: \`${buildCommand()}\` (docs/providers/docker.md has others).`
          : "Build it or load it into that engine, which never pulls one for a sandbox; or name another (docs/providers/docker.md).",
    });
  }
}
