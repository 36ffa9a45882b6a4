import { readFileSync } from "node:fs";
import { asCattlegridError, CattlegridError } from "../../errors/error.ts";
import type { CeilingFile } from "../policy/compile-policy.ts";
import { readPolicyFile } from "../policy/policy-file.ts";

/** Where an administrator's policy for every sandbox of this machine lies. */
export interface CeilingPlace {
  path: string;
  /** Somebody named it, so that its absence is an error; otherwise a file that is not there limits nothing. */
  isRequired: boolean;
}

/** What became of one place when it was last looked at. */
export interface CeilingState {
  path: string;
  /** The last text that could be read whole, since the file is there; undefined for none. */
  file: CeilingFile | undefined;
  /** Why what is on disk now is not in force. */
  problem: CattlegridError | undefined;
}

/** The policies of administrators: as they are on disk, and as they stand. */
export interface Ceilings {
  readonly places: readonly CeilingPlace[];
  /** Looks at every file. */
  look(): readonly CeilingState[];
  /** What the files say now. Throws POLICY_UNKNOWN or POLICY_INVALID: what cannot be read may not be passed over. */
  read(): readonly CeilingFile[];
  /** The same, but for a file that broke what it said before. Throws for one that could never be read. */
  standing(): readonly CeilingFile[];
}

export function createCeilings(places: readonly CeilingPlace[]): Ceilings {
  const states = new Map<string, CeilingState>();
  const look = (): readonly CeilingState[] =>
    places.map((place) => {
      const state = lookAt(place, states.get(place.path)?.file);
      states.set(place.path, state);
      return state;
    });
  return {
    places,
    look,
    read: () => filesOf(look(), () => true),
    // SECURITY: a file that was never read might forbid anything, so that nothing stands in its place.
    standing: () => filesOf(look(), ({ file }) => file === undefined),
  };
}

function filesOf(
  states: readonly CeilingState[],
  counts: (state: CeilingState) => boolean,
): readonly CeilingFile[] {
  return states.flatMap((state) => {
    if (state.problem !== undefined && counts(state)) throw state.problem;
    return state.file ?? [];
  });
}

function lookAt(place: CeilingPlace, before: CeilingFile | undefined): CeilingState {
  const { path } = place;
  try {
    const text = readText(place);
    if (text === undefined) return { path, file: undefined, problem: undefined };
    const file = { layer: "organisation" as const, path, text };
    if (text !== before?.text) readPolicyFile(file, file.layer);
    return { path, file, problem: undefined };
  } catch (error) {
    return { path, file: before, problem: asCattlegridError(error) };
  }
}

/** Undefined for a file that is not there and need not be. */
function readText({ path, isRequired }: CeilingPlace): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" && !isRequired) return undefined;
    const why = code === "ENOENT" ? "does not exist" : `cannot be read: ${message}`;
    throw new CattlegridError("POLICY_UNKNOWN", `The organisation's policy ${path} ${why}.`, {
      hint: "Nothing may leave a sandbox until it can be read; ask whoever manages this machine.",
    });
  }
}
