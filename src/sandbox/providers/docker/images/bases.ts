import { createReadStream, existsSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { assert, CattlegridError } from "../../../../errors/error.ts";
import { findArchive } from "../../../bases/archive.ts";
import { findDirectory, SHELLS, withoutShell } from "../../../bases/directory.ts";
import { DIGITS } from "../../../bases/identity.ts";
import { findImage, otherMachine, withoutPrefix } from "../../../bases/image.ts";
import type { BaseSource, SandboxBases } from "../../../provider.ts";
import { discardTree, explainDiskError, type Directories } from "../../../storage/directories.ts";
import { packDirectory, readArchive } from "./base-archive.ts";
import type { Engine, ImageFacts } from "../engine/engine.ts";
import { isOfThisMachine } from "./image.ts";
import type { Images } from "./images.ts";
import { INSTALLATION_LABEL } from "../installation.ts";
import {
  baseImageName,
  keepRootImage,
  readAccounts,
  readRootImage,
  type RootImage,
} from "./root-image.ts";

const REGISTRIES = "docker://";

export interface DockerBasesContext {
  /** Asked at each use: another engine may be meant by then. */
  choose(): Promise<{ engine: Engine; images: Images }>;
  directories(): Directories;
  installation(): string;
  /** By the names of the images: what is being made, which no `reap` may take for left over. */
  making: Map<string, Promise<void>>;
}

/** What becomes an image of the engine. */
interface Making {
  id: string;
  shown: string;
  /** Gives the engine an image of this name. */
  make(name: string): Promise<void>;
}

/** Root file systems as images of the engine, each made once under a digest of what it is made from. */
export function createBases(context: DockerBasesContext): SandboxBases {
  return {
    async prepare(source, { signal }) {
      try {
        const making = await plan(context, source, signal);
        await keepOnce(context, making, signal);
        return { id: making.id };
      } catch (error) {
        throw explainDiskError(error, context.directories().bases);
      }
    },
    list: async () =>
      (await readdir(context.directories().bases)).filter((name) => !name.includes(".")),
    async remove(id) {
      assert(/^[a-z0-9-]+$/.test(id), "the id of a base is not plain");
      const { bases, trash } = context.directories();
      if (!existsSync(join(bases, id))) return;
      const { images } = await context.choose();
      await images.remove(baseImageName(context.installation(), id));
      await discardTree(join(bases, id), trash);
    },
    measure: async (id) => readRootImage(join(context.directories().bases, id))?.bytes ?? 0,
  };
}

async function plan(
  context: DockerBasesContext,
  source: BaseSource,
  signal: AbortSignal,
): Promise<Making> {
  const { images } = await context.choose();
  if (source.kind === "directory") {
    const { id, directory } = await findDirectory(source.path);
    const make = (name: string): Promise<void> =>
      images.import(packDirectory(directory, signal), { name, signal });
    return { id, shown: source.path, make };
  }
  if (source.kind === "tar") {
    const { id, compression } = await findArchive(source, signal);
    const make = (name: string): Promise<void> =>
      images.import(readArchive(source.path, compression, signal), { name, signal });
    return { id, shown: source.path, make };
  }
  return planImage({ ...context, images }, source, signal);
}

/** What the engine has counts; what it does not have is fetched by us and given to it: it never pulls. */
async function planImage(
  { images, directories }: DockerBasesContext & { images: Images },
  source: BaseSource & { kind: "image" },
  signal: AbortSignal,
): Promise<Making> {
  const { reference } = source;
  const present = await findPresent(images, source, signal);
  if (present !== undefined) {
    const id = `image-${present.Id.replace(/^sha256:/, "").slice(0, DIGITS)}`;
    return { id, shown: reference, make: (name) => images.tag(present.Id, name) };
  }
  const { id, copyTo } = await findImage(source, { registries: REGISTRIES, signal });
  return {
    id,
    shown: reference,
    async make(name) {
      const file = join(directories().bases, `${id}.${Math.random().toString(36).slice(2)}.tar`);
      try {
        await copyTo(`docker-archive:${file}:${name}`);
        await images.load(createReadStream(file, { signal }), signal);
      } finally {
        await rm(file, { force: true });
      }
    },
  };
}

/** With a digest that is wanted, only what has it. */
async function findPresent(
  images: Images,
  { reference, digest }: BaseSource & { kind: "image" },
  signal: AbortSignal,
): Promise<ImageFacts | undefined> {
  if (reference.startsWith("/")) return undefined;
  const found = await images.find(withoutPrefix(reference, REGISTRIES), signal);
  if (found === undefined || digest === undefined || found.Id === digest) return found;
  const has = found.RepoDigests?.some((each) => each.endsWith(`@${digest}`)) === true;
  return has ? found : undefined;
}

async function keepOnce(
  context: DockerBasesContext,
  wanted: Making,
  signal: AbortSignal,
): Promise<void> {
  const { directories, installation, making } = context;
  const { images } = await context.choose();
  const name = baseImageName(installation(), wanted.id);
  // Whoever else is at it may fail, and then it is ours to do.
  for (let other = making.get(name); other !== undefined; other = making.get(name)) {
    await Promise.allSettled([other]);
  }
  const kept = readRootImage(join(directories().bases, wanted.id));
  if (kept !== undefined && (await images.find(name, signal))?.Id === kept.image) return;
  const work = makeImage(context, wanted, { name, signal });
  making.set(name, work);
  try {
    await work;
  } finally {
    making.delete(name);
  }
}

async function makeImage(
  context: DockerBasesContext,
  { id, shown, make }: Making,
  { name, signal }: { name: string; signal: AbortSignal },
): Promise<void> {
  const { bases, trash } = context.directories();
  try {
    await make(name).catch((error: unknown) => {
      throw explainMaking(error, shown);
    });
    const root = await lookInto(context, { name, shown }, signal);
    await discardTree(join(bases, id), trash);
    await keepRootImage(join(bases, id), root);
  } catch (error) {
    await (await context.choose()).images.remove(name);
    throw error;
  }
}

/** The engine says what it could not unpack as a fault of its own. */
function explainMaking(error: unknown, shown: string): unknown {
  if (!CattlegridError.is(error, "PROVIDER_FAILED")) return error;
  const message = `${shown} cannot be made an image: ${error.message}`;
  return new CattlegridError("BASE_INVALID", message, { cause: error });
}

/** By a container of it that never runs. Throws BASE_INVALID, BASE_UNSUITABLE. */
async function lookInto(
  { choose, installation }: DockerBasesContext,
  { name, shown }: { name: string; shown: string },
  signal: AbortSignal,
): Promise<RootImage> {
  const { engine, images } = await choose();
  const facts = await engine.inspectImage(name, signal);
  if (!isOfThisMachine(facts)) {
    throw otherMachine(shown, { os: facts.Os, architecture: facts.Architecture });
  }
  const containerId = await engine.createContainer(undefined, {
    Image: facts.Id,
    Entrypoint: ["/bin/sh"],
    Labels: { [INSTALLATION_LABEL]: installation() },
    HostConfig: { NetworkMode: "none" },
  });
  try {
    const shells = SHELLS.map((path) => images.has(containerId, `/${path}`, signal));
    if (!(await Promise.all(shells)).includes(true)) throw withoutShell(shown);
    const accounts = await readAccounts(images, containerId, signal);
    const environment = facts.Config?.Env ?? [];
    return { image: facts.Id, environment, bytes: facts.Size ?? 0, ...accounts };
  } finally {
    await engine.removeContainer(containerId);
  }
}
