/** Which of Kiro's engines writes the text of a headless turn: they print differently. */
export type KiroEngine = "v1" | "v2";

export interface KiroGeneration {
  /** The first version of the row. */
  from: Version;
  engine: KiroEngine;
  /** Names the engine on the command line, since the default moves between versions. */
  engineArguments: readonly string[];
}

type Version = readonly [major: number, minor: number, patch: number];

/**
 * V1 is named wherever it can be: its output is the one on record, and its conversations can be resumed. 3.x
 * retired its text interface, and Kiro asks for `--v2` or `--v3` in scripts.
 */
const GENERATIONS: readonly [KiroGeneration, ...KiroGeneration[]] = [
  { from: [0, 0, 0], engine: "v1", engineArguments: [] },
  { from: [2, 18, 0], engine: "v1", engineArguments: ["--agent-engine", "v1"] },
  { from: [3, 0, 0], engine: "v2", engineArguments: ["--v2"] },
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

function parseVersion(text: string): Version | undefined {
  const match = /^(\d{1,6})\.(\d{1,6})\.(\d{1,6})$/.exec(text);
  return match === null ? undefined : [Number(match[1]), Number(match[2]), Number(match[3])];
}

function compare(left: Version, right: Version): number {
  return left[0] - right[0] || left[1] - right[1] || left[2] - right[2];
}
