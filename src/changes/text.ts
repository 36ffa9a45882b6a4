import type { ReadableTree } from "./changed-tree.ts";

/** Text that is read whole, to be searched, compared, merged and shown. */
export const TEXT_BYTES_MAX = 1024 * 1024;

export function readText(tree: Pick<ReadableTree, "read">, path: string): string | undefined {
  return toText(tree.read(path, TEXT_BYTES_MAX));
}

/** Undefined for what is no UTF-8 text. */
export function toText(content: Buffer | undefined): string | undefined {
  if (content === undefined || content.includes(0)) return undefined;
  const text = content.toString("utf8");
  return Buffer.byteLength(text) === content.length && !text.includes("\uFFFD") ? text : undefined;
}
