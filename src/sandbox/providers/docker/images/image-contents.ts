import { CattlegridError } from "../../../../errors/error.ts";
import type { Engine, Labels } from "../engine/engine.ts";

/** What starts programs inside, and waits. */
const NEEDED = ["sh", "cat", "mkfifo", "rm", "sleep", "stty"] as const;
/** What agents' installers and agents themselves ask for most. */
const USUAL = ["bash", "curl", "git", "unzip"] as const;
/** The shell is called by this name. */
const SHELL = "/bin/sh";
const DIRECTORIES = ["/usr/bin", "/bin", "/usr/local/bin"] as const;

export interface ImagePlace {
  engine: Engine;
  /** Id of the image. */
  image: string;
  /** Of the container by which the engine is asked; whoever finds it left removes it. */
  labels: Labels;
  signal: AbortSignal;
}

/** Throws IMAGE_UNSUITABLE, naming everything without which nothing can run in a sandbox. */
export async function requireContents(place: ImagePlace, name: string): Promise<void> {
  const lacking = await findLacking(place, NEEDED);
  if (lacking.length === 0) return;
  const message = `The image ${name} has no ${list(lacking)}, without which nothing starts in a sandbox.`;
  throw new CattlegridError("IMAGE_UNSUITABLE", message, {
    hint: "Take one of images/, or add a shell as /bin/sh and coreutils (or busybox) to it: docs/providers/docker.md.",
    details: { lacking },
  });
}

/** What agents could miss; empty for an image in which each can be installed. */
export function findUnusual(place: ImagePlace): Promise<readonly string[]> {
  return findLacking(place, USUAL);
}

/** `a, b and c`. */
export function list(names: readonly string[]): string {
  return names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}

/** Nothing of the image runs: the engine is asked about files of a container that is never started. */
async function findLacking(
  { engine, image, labels, signal }: ImagePlace,
  programs: readonly string[],
): Promise<readonly string[]> {
  const wish = { Image: image, Entrypoint: ["none"], Labels: labels, HostConfig: NO_NETWORK };
  const id = await engine.createContainer(undefined, wish, signal);
  try {
    const lacking: string[] = [];
    for (const program of programs) {
      if (!(await hasProgram(engine, id, program))) lacking.push(program);
    }
    // A container that somebody removed meanwhile has no file at all, which says nothing of the image.
    if (lacking.length > 0) await engine.findProcess(id);
    return lacking;
  } finally {
    await engine.removeContainer(id);
  }
}

const NO_NETWORK = { NetworkMode: "none" };

async function hasProgram(engine: Engine, id: string, program: string): Promise<boolean> {
  const paths =
    program === "sh" ? [SHELL] : DIRECTORIES.map((directory) => `${directory}/${program}`);
  for (const path of paths) if (await engine.hasPath(id, path)) return true;
  return false;
}
