import { spawnSync } from "node:child_process";
import { createReadStream, createWriteStream, existsSync, mkdirSync, renameSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { homedir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { requirement } from "../support/requirement.ts";

const UPSTREAM = process.env["npm_config_registry"] ?? "https://registry.npmjs.org/";
const CACHE = join(
  process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"),
  "cattlegrid-tests/packages",
);

export const REGISTRY_IN_REACH = requirement("the npm registry", () => {
  const asked = spawnSync("npm", ["view", "is-number", "version"], { timeout: 60_000 });
  return asked.status === 0 ? undefined : "it does not answer";
});

/** Answers as the npm registry, from the real one; packages are kept on disk, since they are large. */
export async function serveRegistry(
  path: string,
  accept: string,
  answer: ServerResponse,
): Promise<void> {
  if (!path.endsWith(".tgz")) {
    const found = await fetch(new URL(path.slice(1), UPSTREAM), { headers: { accept } });
    answer.writeHead(found.status, { "content-type": found.headers.get("content-type") ?? "" });
    answer.end(Buffer.from(await found.arrayBuffer()));
    return;
  }
  const kept = join(CACHE, encodeURIComponent(path));
  if (!existsSync(kept)) await download(path, kept);
  answer.writeHead(200, { "content-type": "application/octet-stream" });
  await pipeline(createReadStream(kept), answer);
}

async function download(path: string, kept: string): Promise<void> {
  mkdirSync(CACHE, { recursive: true });
  const found = await fetch(new URL(path.slice(1), UPSTREAM));
  if (!found.ok || found.body === null) throw new TypeError(`${path}: status ${found.status}`);
  const part = `${kept}.${process.pid}`;
  await pipeline(Readable.fromWeb(found.body as never), createWriteStream(part));
  renameSync(part, kept);
}
