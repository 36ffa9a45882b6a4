import { CattlegridError } from "../../../errors/error.ts";
import type { TurnSetup } from "../../agent.ts";

/** Which of Kiro's engines runs a headless turn: they print differently, and keep conversations apart. */
export type KiroEngine = "v1" | "v2" | "v3";

interface EngineUse {
  /** Name the engine on the command line, since the default moves between versions. */
  names: readonly string[];
  /** The same, and how its output is. */
  arguments: readonly string[];
  /** `stream-json` says by itself how a turn ended and to which conversation it belongs. */
  output: "text" | "stream-json";
}

export interface KiroGeneration {
  /** The first version of the row. */
  from: Version;
  /** The engine of a turn for which none is chosen. */
  engine: KiroEngine;
  engines: Readonly<Partial<Record<KiroEngine, EngineUse>>>;
  /** Whether `--resume-id` is known. */
  resumesById: boolean;
}

type Version = readonly [major: number, minor: number, patch: number];

/**
 * V1 is the engine wherever it exists: its output is the one on record, and its conversations can be resumed. 3.x
 * retired its text interface, and Kiro asks for `--v2` or `--v3` in scripts. `stream-json` came with 2.19.2; of the
 * engines that have it, no text is on record that proves a success.
 */
const GENERATIONS: readonly [KiroGeneration, ...KiroGeneration[]] = [
  { from: [0, 0, 0], engine: "v1", engines: { v1: text([]) }, resumesById: false },
  { from: [2, 2, 0], engine: "v1", engines: { v1: text([]) }, resumesById: true },
  {
    from: [2, 18, 0],
    engine: "v1",
    engines: { v1: text(named("v1")), v2: text(named("v2")), v3: text(named("v3")) },
    resumesById: true,
  },
  {
    from: [2, 19, 2],
    engine: "v1",
    engines: { v1: text(named("v1")), v2: streamed(named("v2")), v3: streamed(named("v3")) },
    resumesById: true,
  },
  {
    from: [3, 0, 0],
    engine: "v2",
    engines: { v2: streamed(["--v2"]), v3: streamed(["--v3"]) },
    resumesById: true,
  },
];

/** Minor version of the newest release that the table was written for. */
const NEWEST_KNOWN: Version = [3, 2, 0];

/** The row of a version; the last one for a version that cannot be read or is newer than all we know. */
export function generationOf(version: string): KiroGeneration {
  const [oldest] = GENERATIONS;
  const read = parseVersion(version);
  if (read === undefined) return GENERATIONS.at(-1) ?? oldest;
  return GENERATIONS.findLast(({ from }) => compare(from, read) <= 0) ?? oldest;
}

/** The engine of a turn and how it is used. Throws AGENT_OPTION_UNAVAILABLE for one this version does not have. */
export function engineOf({ version, options }: TurnSetup): EngineUse & { engine: KiroEngine } {
  const { engine: usual, engines } = generationOf(version);
  const wanted = options?.engine ?? usual;
  const found = Object.entries(engines).find(([name]) => name === wanted);
  if (found !== undefined) return { engine: wanted as KiroEngine, ...found[1] };
  const message = `Kiro CLI ${version} has no engine ${wanted} for headless turns.`;
  throw new CattlegridError("AGENT_OPTION_UNAVAILABLE", message, {
    hint: `Its engines are ${Object.keys(engines).join(", ")}.`,
  });
}

/** How a configured agent is started for a person: by the engine that reads what was written for it. */
export function interactiveWords(version: string): readonly string[] {
  const { engine, engines } = generationOf(version);
  // Until V1 went, what a person meets reads the same files; from then on it is V3 unless told otherwise.
  return engines.v1 === undefined ? (engines[engine]?.names ?? []) : [];
}

export function versionNotice(version: string): string | undefined {
  const [major, minor] = NEWEST_KNOWN;
  const read = parseVersion(version);
  const known = `up to ${major}.${minor}`;
  if (read === undefined) {
    return `Kiro CLI says it is version “${version}”, which Cattlegrid cannot read; it treats it like ${major}.${minor}.`;
  }
  if (compare([read[0], read[1], 0], NEWEST_KNOWN) <= 0) return undefined;
  return `Kiro CLI ${version} is newer than the versions Cattlegrid knows (${known}); it treats it like ${major}.${minor}.`;
}

/** From what `kiro-cli --version` prints. */
export function readVersion(stdout: string): string | undefined {
  return /^kiro-cli(?:-chat)? (\d+\.\d+\.\d+)\b/m.exec(stdout)?.[1];
}

function named(engine: KiroEngine): readonly string[] {
  return ["--agent-engine", engine];
}

function text(words: readonly string[]): EngineUse {
  return { names: words, arguments: words, output: "text" };
}

function streamed(words: readonly string[]): EngineUse {
  const output = "stream-json";
  return { names: words, arguments: [...words, "--output-format", output], output };
}

function parseVersion(version: string): Version | undefined {
  const match = /^(\d{1,6})\.(\d{1,6})\.(\d{1,6})$/.exec(version);
  return match === null ? undefined : [Number(match[1]), Number(match[2]), Number(match[3])];
}

function compare(left: Version, right: Version): number {
  return left[0] - right[0] || left[1] - right[1] || left[2] - right[2];
}
