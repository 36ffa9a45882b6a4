import { toCanonicalJson } from "../../platform/canonical-json.ts";
import type { CaptureSockets } from "../capture/capture-sockets.ts";
import type { RunningSandbox, SandboxSpecification } from "../provider.ts";

/** A sandbox that runs for nobody yet: no workspace, no gateway, and nothing of anybody's in it. */
export interface PreparedSandbox {
  id: string;
  specification: SandboxSpecification;
  running: RunningSandbox;
  /** At these nobody answers until it is claimed. */
  sockets: CaptureSockets | undefined;
  /** Keep its layers from being removed. */
  pins: DisposableStack;
}

/** What a claim may give a prepared sandbox; all else has to be as it is. */
const CLAIMED = [
  "id",
  "name",
  "workspace",
  "protectedPaths",
  "maskedPaths",
  "environment",
  "gitIdentity",
] as const satisfies readonly (keyof SandboxSpecification)[];

const WORDS: Readonly<Record<string, string>> = {
  isolation: "its isolation",
  homeLayers: "its layers",
  toolchains: "its toolchains",
  certificates: "the certificates it trusts",
  limits: "its limits",
};

/** Why a prepared sandbox cannot become the wanted one; undefined when it can. Pure. */
export function findDifference(
  prepared: SandboxSpecification,
  wanted: SandboxSpecification,
): string | undefined {
  const left = fixed(prepared);
  const right = fixed(wanted);
  const names = [...new Set([...Object.keys(left), ...Object.keys(right)])];
  const differing = names.find(
    (name) => toCanonicalJson(left[name]) !== toCanonicalJson(right[name]),
  );
  if (differing === undefined) return undefined;
  return `${WORDS[differing] ?? differing} differ from those of the prepared ones`;
}

function fixed(specification: SandboxSpecification): Record<string, unknown> {
  const claimed: ReadonlySet<string> = new Set(CLAIMED);
  return Object.fromEntries(
    Object.entries(specification).filter(
      ([name, value]) => !claimed.has(name) && value !== undefined,
    ),
  );
}
