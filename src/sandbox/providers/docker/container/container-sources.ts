import { realpathSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CattlegridError } from "../../../../errors/error.ts";
import { sandboxEnvironment } from "../../../guest/environment.ts";
import { layerName, WORKSPACE } from "../../../storage/directories.ts";
import { labelsOf, type Attempt, type StartContext } from "../attempt.ts";
import { homeOverlay, type ContainerSources, type OverlayPlan } from "./container-plan.ts";
import type { GuestFile } from "./guest-files.ts";
import { isPodman } from "../engine/engine.ts";
import { engineSeccomp } from "./system-calls.ts";
import type { WorkspaceMount } from "./workspace-mounts.ts";

/** What a container is planned from. Throws REQUEST_INVALID, FILE_SYSTEM_UNSUITABLE. */
export function gatherSources(
  context: StartContext,
  attempt: Attempt,
  files: readonly GuestFile[],
): ContainerSources {
  const { specification, runtime, temporaryBytes, root } = attempt;
  const { facts } = context.image;
  const imageEnvironment = root?.environment ?? facts.Config?.Env ?? [];
  const toolchains = specification.toolchains.map((target) => ({
    target,
    source: realSource(target),
  }));
  const systemPath = imageEnvironment
    .find((each) => each.startsWith("PATH="))
    ?.slice(5)
    .split(":");
  const environment = sandboxEnvironment({
    specification,
    toolchainPath: toolchains.map(({ target }) => binOf(target)),
    shell: "/bin/sh",
    ...(systemPath === undefined ? {} : { systemPath }),
  });
  return {
    specification,
    runtime,
    files,
    toolchains,
    environment,
    temporaryBytes,
    image: root?.image ?? facts.Id,
    hasBase: root !== undefined,
    account: context.account,
    labels: labelsOf(context, specification),
    networkOf: attempt.holderId,
    overlays: overlaysOf(context, attempt),
    workspace: workspaceMounts(context, attempt),
    seccomp: filterOf(context, attempt),
    isPodman: isPodman(context.engineFacts),
    volumes: attempt.volumes,
  };
}

function overlaysOf(
  { directories, runtimeDirectory }: StartContext,
  { specification, workspace }: Attempt,
): readonly OverlayPlan[] {
  const directory = join(directories.sandboxes, specification.id);
  const layers = specification.homeLayers.map((id) => join(directories.layers, layerName(id)));
  const home = homeOverlay(directory, [...layers.toReversed(), join(runtimeDirectory, "empty")]);
  if (specification.workspace?.mode !== "overlay" || workspace === undefined) {
    return refuseSpecial([home]);
  }
  const own = join(directory, WORKSPACE);
  const over = {
    target: specification.workspace.path,
    lower: [workspace.source],
    upper: join(own, "upper"),
    work: join(own, "work"),
  };
  return refuseSpecial([home, over]);
}

/** The engine takes the options of a mount as one text, in which some characters have no way to be written. */
function refuseSpecial(overlays: readonly OverlayPlan[]): readonly OverlayPlan[] {
  const paths = overlays.flatMap(({ lower, upper, work }) => [...lower, upper, work]);
  const path = paths.find((each) => /[,:\\"\n]/.test(each));
  if (path === undefined) return overlays;
  const message = `Docker cannot lay an overlay over ${path}: a comma, colon, quote or backslash is in the way.`;
  throw new CattlegridError("FILE_SYSTEM_UNSUITABLE", message, {
    hint: "Use another directory, or --mode direct.",
  });
}

function workspaceMounts(
  { engineFacts }: StartContext,
  { specification, workspace }: Attempt,
): readonly WorkspaceMount[] {
  if (specification.workspace?.mode === "overlay") return [];
  const mounts = workspace?.mounts ?? [];
  const special = mounts.find(({ target }) => /[,'"]/.test(target));
  if (special === undefined || !isPodman(engineFacts)) return mounts;
  const message = `Podman cannot mount ${special.target}: a comma or a quote is in the way.`;
  throw new CattlegridError("FILE_SYSTEM_UNSUITABLE", message, { hint: "Use another directory." });
}

function realSource(path: string): string {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return realpathSync(path);
  throw new CattlegridError("REQUEST_INVALID", `The toolchain ${path} is not a directory.`, {
    hint: "Name an existing directory in `toolchains`, or remove it from the list.",
  });
}

/** What a toolchain puts on PATH: its `bin`, or itself when it holds programs directly. */
function binOf(path: string): string {
  const bin = join(path, "bin");
  return statSync(bin, { throwIfNoEntry: false })?.isDirectory() ? bin : path;
}

/** Docker takes a filter's text; Podman, on this machine, the path of a file that it reads at once. */
function filterOf(
  { engineFacts }: StartContext,
  { runtime, directory, specification }: Attempt,
): string {
  const mayInstall = specification.hasRoot === true;
  const text = JSON.stringify(engineSeccomp({ hasOwnKernel: runtime !== undefined, mayInstall }));
  if (!isPodman(engineFacts)) return text;
  const path = join(directory, "seccomp.json");
  writeFileSync(path, text, { mode: 0o644 });
  return path;
}
