import { dirname, isAbsolute, resolve } from "node:path";
import type { ResolvedTemplate } from "../../protocol/template.ts";
import { withoutBases } from "../lazy-provider.ts";
import type { BaseSource, SandboxBase, SandboxProvider } from "../provider.ts";

/** The root file system that a template names; undefined for the provider's own. Makes it ready where it is not. */
export async function prepareBase(
  template: Pick<ResolvedTemplate, "base" | "paths"> | undefined,
  provider: SandboxProvider,
  signal: AbortSignal,
): Promise<SandboxBase | undefined> {
  const source = template === undefined ? undefined : sourceOf(template);
  if (source === undefined) return undefined;
  if (provider.bases === undefined) throw withoutBases(provider.id);
  return provider.bases.prepare(source, { signal });
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
