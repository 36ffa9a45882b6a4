import { join } from "node:path";
import { CattlegridError } from "../../../errors/error.ts";
import type { UnprotectedPath } from "../../mounts/protection.ts";
import { HOME } from "../../guest/environment.ts";
import type { SandboxSpecification } from "../../provider.ts";
import { processDefaults } from "./bundle/bundle.ts";
import { writeNames } from "./bundle/etc.ts";
import type { ExecTarget } from "./process/exec-target.ts";
import { Protection } from "./protection.ts";
import { MEMORY, OVERLAID } from "./bundle/root-layout.ts";
import { environmentOf, planLayout, type Attempt, type StartContext } from "./attempt.ts";

/** How processes start in it from then on. */
export type TakenOver = Pick<ExecTarget, "process" | "cwd">;

/**
 * Makes a sandbox in which nothing has run that of a specification which differs from its own in name, workspace,
 * environment and git identity. Throws PROVIDER_UNSUPPORTED, and has then changed nothing, for what can only be laid
 * at the start.
 */
export async function takeOver(
  context: StartContext,
  attempt: Attempt,
  specification: SandboxSpecification,
): Promise<TakenOver> {
  requireLate(context, attempt, specification);
  const { launched } = context;
  const layout = await planLayout(context, specification);
  const path = specification.workspace?.path;
  const tree = layout.trees.find(({ name }) => name === "w");
  writeNames(join(attempt.files.directory, "etc"), specification);
  const unprotected = await launched.keeper.lay(attempt.number, {
    hostname: specification.name,
    ...(path === undefined || tree === undefined
      ? {}
      : { workspace: { tree, path, place: isBelow(path, MEMORY) ? "memory" : "root" } }),
  });
  attempt.specification = specification;
  attempt.layout = layout;
  guard(context, attempt, unprotected);
  const cwd = path ?? HOME;
  const environment = environmentOf(context, attempt);
  return { process: processDefaults(environment, cwd, attempt.bounds), cwd };
}

function requireLate(
  { runtime }: StartContext,
  { layout, root }: Attempt,
  { workspace }: SandboxSpecification,
): void {
  const refuse = (why: string): never => {
    throw new CattlegridError("PROVIDER_UNSUPPORTED", why);
  };
  // The mounts that programs inside see are gVisor's own: none can be added.
  if (runtime.isolation === "gvisor") refuse("gVisor takes no workspace later than at the start");
  if (workspace === undefined) return;
  if (root !== undefined) refuse("a workspace on a base is laid at the start only");
  const { mode, path } = workspace;
  if (mode === "overlay") refuse("mode overlay lays the workspace at the start only");
  const links = layout.links.map(({ name }) => `/${name}`);
  const place = [...OVERLAID, ...links].find((parent) => isBelow(path, [parent]));
  if (place !== undefined) refuse(`a workspace below ${place} is laid at the start only`);
}

function isBelow(path: string, parents: readonly string[]): boolean {
  return parents.some((parent) => path.startsWith(`${parent}/`));
}

/** From now on what protects paths of the workspace is made again whenever a program of the host undoes it. */
export function guard(
  { launched, logger, runtime }: StartContext,
  attempt: Attempt,
  unprotected: readonly UnprotectedPath[],
): void {
  const { layout, number, specification } = attempt;
  const directory = specification.workspace?.path;
  const paths = layout.trees.flatMap((tree) => tree.protectedPaths);
  if (directory === undefined || paths.length === 0) return;
  // The mounts that programs inside see are gVisor's own: none can be added, and `inspect` says so.
  if (runtime.isolation === "gvisor") return;
  const options = {
    directory,
    paths,
    protect: () => launched.keeper.protect(number, directory, paths),
    onFailure: (error: unknown) => {
      const sandbox = specification.id;
      logger.warn("protected paths could not be checked", { sandbox, error: String(error) });
    },
  };
  attempt.protection = new Protection(options, unprotected);
}
