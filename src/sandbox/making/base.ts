import { dirname, isAbsolute, resolve } from "node:path";
import type { ResolvedTemplate } from "../../protocol/template.ts";
import { withoutBases } from "../lazy-provider.ts";
import type { BaseSource, SandboxBase, SandboxProvider } from "../provider.ts";
import type { LayerRepository } from "../../store/layer-rows.ts";
import { baseLayer, type LayerUse } from "../upkeep/layer-use.ts";

/** What keeps root file systems from being removed, and remembers for whom they were made. */
export interface BaseKeeping {
  use: LayerUse;
  layers: LayerRepository;
  now(): Date;
}

interface BaseWish {
  template: Pick<ResolvedTemplate, "base" | "paths" | "name"> | undefined;
  provider: SandboxProvider;
  signal: AbortSignal;
  /** Keep it until they are disposed of. */
  pins: DisposableStack;
}

/**
 * The root file system that a template names; undefined for the provider's own. Makes it ready where it is not, and
 * remembers that it was used.
 */
export async function prepareBase(
  { use, layers, now }: BaseKeeping,
  { template, provider, signal, pins }: BaseWish,
): Promise<SandboxBase | undefined> {
  const source = template === undefined ? undefined : sourceOf(template);
  if (template === undefined || source === undefined) return undefined;
  requireBases(template, provider);
  const { bases, id } = provider;
  if (bases === undefined) throw withoutBases(id);
  const { chosen: base, pin } = await use.choose(
    id,
    () => bases.prepare(source, { signal }),
    (made) => (made.directory === undefined ? [baseLayer(made.id)] : []),
  );
  pins.use(pin);
  if (base.directory !== undefined) return base;
  const layer = baseLayer(base.id);
  const at = now().toISOString();
  const isKnown = (await layers.list()).some((row) => row.provider === id && row.layer === layer);
  if (isKnown) await layers.touch(id, [layer], at);
  else {
    const bytes = (await bases.measure?.(base.id)) ?? 0;
    const steps = [source.kind === "image" ? source.reference : source.path];
    const about = { template: template.name, steps, bytes, builtAt: at, usedAt: at };
    await layers.put({ provider: id, layer, ...about });
  }
  return base;
}

/** Throws PROVIDER_UNSUPPORTED where a template names a base and the provider states none. */
export function requireBases(
  template: Pick<ResolvedTemplate, "base"> | undefined,
  { id, declared }: Pick<SandboxProvider, "id" | "declared">,
): void {
  if (template !== undefined && template.base !== "host" && declared.bases !== true) {
    throw withoutBases(id);
  }
}

/** A path counts from the template's own directory. */
function sourceOf({
  base,
  paths: [file = "/"],
}: Pick<ResolvedTemplate, "base" | "paths">): BaseSource | undefined {
  if (base === "host") return undefined;
  const at = (path: string): string => resolve(dirname(file), path);
  if ("directory" in base) return { kind: "directory", path: at(base.directory) };
  const digest = base.digest === undefined ? {} : { digest: base.digest };
  if ("tar" in base) return { kind: "tar", path: at(base.tar), ...digest };
  const isPath = isAbsolute(base.image) || base.image.startsWith(".");
  return { kind: "image", reference: isPath ? at(base.image) : base.image, ...digest };
}
