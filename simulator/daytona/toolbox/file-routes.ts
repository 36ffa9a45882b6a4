import { json, nothing, readJson, type Answer } from "../exchange.ts";
import { Refusal } from "../refusal.ts";
import { MachineFiles } from "./machine-files.ts";
import {
  MULTIPART_TYPE,
  readSingleFile,
  readUpload,
  writeDownload,
  type DownloadPart,
} from "./multipart.ts";
import type { ToolboxCall, ToolboxRoutes } from "./call.ts";

export const FILE_ROUTES: ToolboxRoutes = {
  "GET /files": async (call) => {
    const depth = Number(call.call.query.get("depth") ?? "1");
    const path = call.call.query.get("path") ?? ".";
    return json(await filesOf(call).list(path, depth));
  },
  "GET /files/info": async (call) => json(await filesOf(call).info(given(call, "path"))),
  "GET /files/find": async (call) =>
    json(await filesOf(call).grep(given(call, "path"), given(call, "pattern"))),
  "GET /files/search": async (call) => {
    const files = await filesOf(call).search(given(call, "path"), given(call, "pattern"));
    return json({ files });
  },
  "POST /files/folder": async (call) => {
    await filesOf(call).makeFolder(given(call, "path"), given(call, "mode"));
    return nothing(201);
  },
  "POST /files/move": async (call) => {
    await filesOf(call).move(given(call, "source"), given(call, "destination"));
    return nothing(200);
  },
  "POST /files/permissions": async (call) => {
    const wanted = ["mode", "owner", "group"].flatMap((name) => {
      const value = call.call.query.get(name);
      return value === null ? [] : [[name, value] as const];
    });
    await filesOf(call).setPermissions(given(call, "path"), Object.fromEntries(wanted));
    return nothing(200);
  },
  "POST /files/replace": replace,
  "DELETE /files": async (call) => {
    const isRecursive = call.call.query.get("recursive") === "true";
    await filesOf(call).remove(given(call, "path"), isRecursive);
    return nothing();
  },
  "POST /files/bulk-upload": async (call) => {
    const files = filesOf(call);
    for (const { path, bytes } of await readUpload(call.call)) await files.write(path, bytes);
    return nothing(200);
  },
  "POST /files/bulk-download": bulkDownload,
  "GET /files/download": async (call) => {
    const body = await filesOf(call).read(given(call, "path"));
    return { status: 200, body, headers: { "content-type": "application/octet-stream" } };
  },
  "POST /files/upload-v2": async (call) => {
    const path = given(call, "path");
    const bytes = await readSingleFile(call.call);
    await filesOf(call).write(path, bytes);
    return json({ path, size: bytes.length });
  },
};

async function bulkDownload(call: ToolboxCall): Promise<Answer> {
  const files = filesOf(call);
  const { paths = [] } = await readJson<{ paths: string[] }>(call.call, "daemon");
  if (paths.length === 0) throw new Refusal(["daemon", 400], "request body must contain paths");
  const { method, path: at } = call.call;
  const parts: DownloadPart[] = [];
  for (const path of paths) {
    try {
      parts.push({ path, bytes: await files.read(path) });
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      parts.push({ path, problem: error.toJson({ method, path: at, date: new Date() }) });
    }
  }
  return { status: 200, body: writeDownload(parts), headers: { "content-type": MULTIPART_TYPE } };
}

async function replace(call: ToolboxCall): Promise<Answer> {
  const files = filesOf(call);
  const request = await readJson<{ files: string[]; pattern: string; newValue: string }>(
    call.call,
    "daemon",
  );
  const { pattern = "", newValue = "" } = request;
  const results: object[] = [];
  for (const file of request.files ?? []) {
    try {
      const text = (await files.read(file)).toString();
      await files.write(file, Buffer.from(text.replaceAll(pattern, newValue)));
      results.push({ file, success: true });
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      results.push({ file, success: false, error: error.message });
    }
  }
  return json(results);
}

function filesOf({ sandbox }: ToolboxCall): MachineFiles {
  return new MachineFiles(sandbox.running());
}

function given({ call }: ToolboxCall, name: string): string {
  const value = call.query.get(name);
  if (value !== null && value !== "") return value;
  throw new Refusal(["daemon", 400], `${name} is required`, { code: "BAD_REQUEST" });
}
