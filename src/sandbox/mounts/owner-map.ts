import { AGENT_ID } from "../guest/environment.ts";

const IDS = 65_536;

/**
 * The lines of a uid_map or gid_map for an idmapped mount, by which files of `ownerId` on disk appear as
 * the agent's, those of 1000 as the owner's, and all others as their own number counted from `first`.
 */
export function workspaceIdMap(ownerId: number, first: number): string {
  const line = (onDisk: number, inside: number, count: number): string =>
    count <= 0 ? "" : `${onDisk} ${first + inside} ${count}\n`;
  if (ownerId === AGENT_ID) return line(0, 0, IDS);
  if (ownerId >= IDS) {
    return (
      line(0, 0, AGENT_ID) +
      line(AGENT_ID + 1, AGENT_ID + 1, IDS - AGENT_ID - 1) +
      line(ownerId, AGENT_ID, 1)
    );
  }
  const low = Math.min(ownerId, AGENT_ID);
  const high = Math.max(ownerId, AGENT_ID);
  return (
    line(0, 0, low) +
    line(low, high, 1) +
    line(low + 1, low + 1, high - low - 1) +
    line(high, low, 1) +
    line(high + 1, high + 1, IDS - high - 1)
  );
}
