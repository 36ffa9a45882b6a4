import { createHash } from "node:crypto";
import type { ResolvedTemplate } from "../../protocol/template.ts";
import type { BuildStep } from "./step.ts";

/**
 * A sandbox's home is an overlay of all its layers, whose names the kernel takes in one page, and each of which costs a look
 * more. So later steps of a long template share layers.
 */
const LAYERS_MAX = 16;
const DIGITS = 32;
const PREFIX = "setup-";

/** Steps that make one layer. */
export type LayerPlan = readonly BuildStep[];

/** One layer a step, as far as that many layers are wise: then a change of one step leaves those before it in use. */
export function groupSteps(steps: readonly BuildStep[]): readonly LayerPlan[] {
  const size = Math.ceil(steps.length / LAYERS_MAX);
  return Array.from({ length: size === 0 ? 0 : Math.ceil(steps.length / size) }, (_, index) =>
    steps.slice(index * size, (index + 1) * size),
  );
}

/** What a layer is made from, but for the steps themselves. */
export interface LayerGround {
  /** Names of the layers that it lies on, lowest first. */
  below: readonly string[];
  /** What programs in it are made for, and what the root file system is. */
  userland: string;
  /** SECURITY: what came from a mirror must never pass for what the world serves, nor the other way round. */
  mirrored: boolean;
  /** SECURITY: nor must what a laxer policy let in pass for what this one would. */
  policy: ResolvedTemplate["policy"];
}

/** Of everything that a layer comes from: the same for the same, and another for anything else. */
export function digestLayer(ground: LayerGround, plan: LayerPlan): string {
  const steps = plan.map(({ argv, environment, root, inputs }) => [
    argv,
    Object.entries(environment).toSorted(byName),
    root,
    Object.entries(inputs).toSorted(byName),
  ]);
  const { below, userland, mirrored, policy } = ground;
  const text = JSON.stringify([below, userland, mirrored, listRules(policy), steps]);
  return createHash("sha256").update(text).digest("hex").slice(0, DIGITS);
}

function listRules({ preset, allow, deny, ceilings }: LayerGround["policy"]): unknown {
  const texts = ceilings.map(({ text }) => text);
  return [preset ?? null, allow.toSorted(), deny.toSorted(), texts];
}

function byName([left]: [string, string], [right]: [string, string]): number {
  return left < right ? -1 : 1;
}

/** A layer that was built anew has the next number; the highest counts. */
export function findSetupLayer(digest: string, layers: readonly string[]): string | undefined {
  const numbers = numbersOf(digest, layers);
  return numbers.length === 0 ? undefined : nameOf(digest, Math.max(...numbers));
}

export function nextSetupLayer(digest: string, layers: readonly string[]): string {
  return nameOf(digest, Math.max(0, ...numbersOf(digest, layers)) + 1);
}

export function isSetupLayer(layer: string): boolean {
  return layer.startsWith(PREFIX);
}

function numbersOf(digest: string, layers: readonly string[]): readonly number[] {
  const start = nameOf(digest, "");
  return layers
    .filter((layer) => layer.startsWith(start))
    .map((layer) => Number(layer.slice(start.length)))
    .filter((number) => Number.isSafeInteger(number) && number > 0);
}

function nameOf(digest: string, number: number | ""): string {
  return `${PREFIX}${digest}-${number}`;
}
