import type { FileHandle } from "node:fs/promises";
import type { TarEntry } from "./tar/tar-entry.ts";

const ZEROS = Buffer.alloc(64 * 1024);

/** Stretches of zeros become holes: a file that takes no space inside takes none here. */
export async function writeSparse(
  file: FileHandle,
  { sizeBytes, mode, modifiedSeconds }: TarEntry,
  content: AsyncIterable<Buffer>,
): Promise<void> {
  try {
    let offset = 0;
    for await (const chunk of content) {
      await writeUnlessZero(file, chunk, offset);
      offset += chunk.length;
    }
    await file.truncate(sizeBytes);
    await file.utimes(modifiedSeconds, modifiedSeconds);
    await file.chmod(mode);
  } finally {
    await file.close();
  }
}

async function writeUnlessZero(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let at = 0; at < bytes.length; at += ZEROS.length) {
    const part = bytes.subarray(at, at + ZEROS.length);
    if (!part.equals(ZEROS.subarray(0, part.length))) await writeAll(file, part, position + at);
  }
}

async function writeAll(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}
