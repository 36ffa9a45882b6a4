import { rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { CattlegridError } from "../../../errors/error.ts";
import type { Logger } from "../../../platform/logger.ts";
import type { SandboxSpecification } from "../../provider.ts";
import type { Directories } from "../../storage/directories.ts";
import type { Capture } from "./capture/way.ts";
import type { CaptureWays, ComingCapture } from "./capture/ways.ts";
import type { Engine, EngineFacts, ImageFacts } from "./engine/engine.ts";
import type { GuestAccount } from "./container/guest-account.ts";
import type { IdMaps } from "./container/id-maps.ts";
import type { Images } from "./images/images.ts";
import { INSTALLATION_LABEL, SANDBOX_LABEL } from "./installation.ts";
import type { RootImage } from "./images/root-image.ts";
import type { RootLayers } from "./images/root-layers.ts";
import { clearWorkDirectories, giveHome } from "./container/work-directories.ts";
import type { PreparedWorkspace } from "./container/workspace-mounts.ts";

const REMOVAL_TRIES = 20;
const REMOVAL_PAUSE_MS = 500;

export interface StartContext {
  engine: Engine;
  images: Images;
  rootLayers: RootLayers;
  engineFacts: EngineFacts;
  /** The provider's own, of which what runs beside sandboxes is made too. */
  image: { name: string; facts: ImageFacts };
  installation: string;
  directories: Directories;
  /** Short-lived files of this provider. */
  runtimeDirectory: string;
  account: GuestAccount;
  /** As root: whose files appear as the agent's. */
  idMaps: IdMaps | undefined;
  logger: Logger;
  ways: CaptureWays;
}

/** What the way to a running sandbox has made so far, to be undone in reverse order. */
export interface Attempt {
  specification: SandboxSpecification;
  /** What the sandbox is made of; undefined for the provider's own image. */
  root: RootImage | undefined;
  /** Of the engine's; undefined for the one that it has by itself. */
  runtime: string | undefined;
  directory: string;
  temporaryBytes: number;
  /** Made before the container, by where they are mounted in it. */
  volumes: Map<string, string>;
  workspace?: PreparedWorkspace;
  containerId?: string;
  /** Has the network, where the sandbox's own container joins one. */
  holderId?: string;
  coming?: ComingCapture;
  capture?: Capture;
  /** Whether what was written to its root file system is to be kept for a layer. */
  isBuilding?: boolean;
}

/** What marks everything of one sandbox. */
export function labelsOf(
  { installation }: Pick<StartContext, "installation">,
  { id }: SandboxSpecification,
): Readonly<Record<string, string>> {
  return { [INSTALLATION_LABEL]: installation, [SANDBOX_LABEL]: id };
}

/** Does not reject: what cannot be undone now is the next `reap`'s. */
export async function undo(context: StartContext, attempt: Attempt): Promise<void> {
  const { engine, logger } = context;
  const { specification, containerId, holderId, workspace, directory } = attempt;
  try {
    await attempt.capture?.close();
    await attempt.coming?.discard();
    if (containerId !== undefined) await leave(context, attempt, containerId);
    if (holderId !== undefined) await remove(engine, holderId);
    workspace?.release();
    rmSync(directory, { recursive: true, force: true });
  } catch (error) {
    logger.warn("a sandbox left something behind", {
      sandbox: specification.id,
      error: String(error),
    });
  }
}

/** Ends the container and what the kernel keeps of its home. Where a layer may come of it, it stays, without any program. */
async function leave(
  context: StartContext,
  { specification, isBuilding = false, volumes }: Attempt,
  containerId: string,
): Promise<void> {
  const { engine, account } = context;
  const directory = join(context.directories.sandboxes, specification.id);
  // SECURITY: of the provider's own image, never of a template's: it may change what is the user's.
  const work = { ...context, image: context.image.facts.Id };
  if (isBuilding) {
    await engine.killContainer(containerId);
    context.rootLayers.keep(specification.id, containerId);
    await giveHome(work, directory, account);
  } else {
    const isOurs = await remove(engine, containerId);
    // Whoever removes a container by hand leaves its volumes.
    if (!isOurs || volumes.size > 0) {
      await engine.removeUnusedVolumes(labelsOf(context, specification));
    }
  }
  await clearWorkDirectories(work, directory);
}

/**
 * Resolves with whether it was we who removed it. An engine that is just being restarted comes back; one that does not
 * leaves its container to the next `reap`.
 */
async function remove(engine: Engine, containerId: string): Promise<boolean> {
  let isOurs = true;
  for (let left = REMOVAL_TRIES; ; left -= 1) {
    try {
      const became = await engine.removeContainer(containerId);
      isOurs &&= became === "removed";
      if (became !== "busy" || left === 0) return isOurs;
    } catch (error) {
      if (left === 0 || !CattlegridError.is(error, "PROVIDER_UNREACHABLE")) throw error;
    }
    await delay(REMOVAL_PAUSE_MS);
  }
}
