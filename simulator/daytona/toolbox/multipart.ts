import type { Call } from "../exchange.ts";
import { readBody } from "../exchange.ts";
import { Refusal } from "../refusal.ts";

const BOUNDARY = "DAYTONA-FILE-BOUNDARY";

export const MULTIPART_TYPE = `multipart/form-data; boundary=${BOUNDARY}`;

/** One part of a bulk download: the file, or why it cannot be had. */
export type DownloadPart = { path: string; bytes: Buffer } | { path: string; problem: object };

export function writeDownload(parts: readonly DownloadPart[]): Buffer {
  const chunks = parts.flatMap((part) => {
    const isFile = "bytes" in part;
    const body = isFile ? part.bytes : Buffer.from(JSON.stringify(part.problem));
    const name = isFile ? "file" : "error";
    const type = isFile ? "application/octet-stream" : "application/json";
    const head =
      `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"; filename="${part.path}"\r\n` +
      `Content-Type: ${type}\r\nContent-Length: ${body.length}\r\n\r\n`;
    return [Buffer.from(head), body, Buffer.from("\r\n")];
  });
  return Buffer.concat([...chunks, Buffer.from(`--${BOUNDARY}--\r\n`)]);
}

export interface UploadedFile {
  path: string;
  bytes: Buffer;
}

/** The files of a bulk upload: `files[0].path` beside `files[0].file`. */
export async function readUpload(call: Call): Promise<UploadedFile[]> {
  const form = await readForm(call);
  const files: UploadedFile[] = [];
  for (const [name, value] of form) {
    const index = /^files\[(\d+)\]\.file$/.exec(name)?.[1];
    if (index === undefined) continue;
    const path = form.get(`files[${index}].path`);
    if (typeof path !== "string" || typeof value === "string")
      throw bad(`files[${index}] is not whole`);
    files.push({ path, bytes: Buffer.from(await value.arrayBuffer()) });
  }
  if (files.length === 0) throw bad("no files in the request");
  return files;
}

/** The one file of a form, whatever its name. */
export async function readSingleFile(call: Call): Promise<Buffer> {
  for (const value of (await readForm(call)).values()) {
    if (typeof value !== "string") return Buffer.from(await value.arrayBuffer());
  }
  throw bad("no file in the request");
}

async function readForm(call: Call): Promise<FormData> {
  const headers = { "content-type": call.headers["content-type"] ?? "" };
  try {
    return await new Response(new Uint8Array(await readBody(call)), { headers }).formData();
  } catch (error) {
    if (error instanceof TypeError) throw bad(error.message);
    throw error;
  }
}

function bad(message: string): Refusal {
  return new Refusal(["daemon", 400], message, { code: "BAD_REQUEST" });
}
