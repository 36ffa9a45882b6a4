/**
 * What one entry of a tar stream is. `other` is whatever has no place in a copy: devices, pipes, hard links.
 * Names and targets are bytes in latin1 spelling, so that every name survives, text or not.
 */
export interface TarEntry {
  /** As the stream has it; nothing is checked or resolved. */
  name: string;
  type: "file" | "directory" | "link" | "other";
  /** Permissions alone: set-user-id, set-group-id and sticky bits are never read or written. */
  mode: number;
  sizeBytes: number;
  modifiedSeconds: number;
  /** Of a symbolic link. */
  target: string;
}

export const BLOCK_BYTES = 512;

/** SECURITY: set-user-id and set-group-id bits would run as whoever owns the copy. */
export const MODE_MASK = 0o777;

/** How many bytes fill up the last block of `sizeBytes`. */
export function paddingOf(sizeBytes: number): number {
  return (BLOCK_BYTES - (sizeBytes % BLOCK_BYTES)) % BLOCK_BYTES;
}

/** The sum over a header whose own checksum field counts as spaces. */
export function sumHeader(header: Uint8Array): number {
  let sum = 0;
  for (const [index, byte] of header.entries()) sum += index >= 148 && index < 156 ? 0x20 : byte;
  return sum;
}
