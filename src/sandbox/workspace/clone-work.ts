import type { FileHandle } from "node:fs/promises";
import { CattlegridError } from "../../errors/error.ts";
import {
  EXPORT_HEADER_BYTES_MAX,
  parseExportHeader,
  type ExportedWork,
} from "../../workspace/clone/export.ts";
import type { SandboxProcess } from "../process.ts";

const PACK_BYTES_MAX = 4 * 2 ** 30;
const ERRORS_LENGTH_MAX = 2000;
const LINE_FEED = 0x0a;

/**
 * Reads what the export prints, its header and then a pack that goes to `pack`. Throws CLONE_WORK_INVALID.
 * SECURITY: whoever rules in the clone decides every byte of it, so there is a limit to each part.
 */
export async function receiveWork(
  exporting: SandboxProcess,
  pack: FileHandle,
): Promise<ExportedWork> {
  const errors = readErrors(exporting.errors);
  let head: Buffer | undefined = Buffer.alloc(0);
  let work: ExportedWork | undefined;
  let received = 0;
  for await (const chunk of exporting.output) {
    let rest: Buffer = chunk;
    if (head !== undefined) {
      head = Buffer.concat([head, chunk]);
      const end = head.indexOf(LINE_FEED);
      if (end === -1 && head.length > EXPORT_HEADER_BYTES_MAX) throw invalid("no header came");
      if (end === -1) continue;
      work = parseExportHeader(head.toString("utf8", 0, end));
      rest = head.subarray(end + 1);
      head = undefined;
    }
    received += rest.length;
    if (received > PACK_BYTES_MAX) throw invalid("it is larger than 4 GiB");
    await pack.writeFile(rest);
  }
  const { code } = await exporting.ended;
  if (code !== 0 || work === undefined) throw invalid((await errors) || `git ended with ${code}`);
  return work;
}

async function readErrors(stream: AsyncIterable<Buffer> | undefined): Promise<string> {
  let text = "";
  for await (const chunk of stream ?? []) {
    text = (text + chunk.toString("utf8")).slice(-ERRORS_LENGTH_MAX);
  }
  return text.trim().split("\n").at(-1) ?? "";
}

function invalid(why: string): CattlegridError {
  return new CattlegridError("CLONE_WORK_INVALID", `The work cannot be read: ${why}.`);
}
