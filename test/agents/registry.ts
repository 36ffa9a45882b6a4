import { execFileSync, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  createReadStream,
  createWriteStream,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
} from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { get } from "node:https";
import { homedir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { getCACertificates } from "node:tls";
import { requirement } from "../support/requirement.ts";

const CACHE = join(
  process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"),
  "cattlegrid-tests/packages",
);

const UPSTREAM = readSetting("registry");
const AUTHORITIES = [...getCACertificates("default"), ...readAuthorities()];

export const REGISTRY_IN_REACH = requirement("the npm registry", () => {
  const asked = spawnSync("npm", ["view", "is-number", "version"], { timeout: 60_000 });
  return asked.status === 0 ? undefined : "it does not answer";
});

function readAuthorities(): string[] {
  const path = readSetting("cafile");
  return path === "null" ? [] : [readFileSync(path, "utf8")];
}

function readSetting(name: string): string {
  return execFileSync("npm", ["config", "get", name], { encoding: "utf8" }).trim();
}

/** Answers as the npm registry, from the real one; packages are kept on disk, since they are large. */
export async function serveRegistry(
  path: string,
  accept: string,
  answer: ServerResponse,
): Promise<void> {
  if (!path.endsWith(".tgz")) {
    const found = await ask(path, accept);
    const type = found.headers["content-type"] ?? "application/json";
    answer.writeHead(found.statusCode ?? 502, { "content-type": type });
    await pipeline(found, answer);
    return;
  }
  const kept = join(CACHE, encodeURIComponent(path));
  if (!existsSync(kept)) await download(path, kept);
  answer.writeHead(200, { "content-type": "application/octet-stream" });
  await pipeline(createReadStream(kept), answer);
}

async function download(path: string, kept: string): Promise<void> {
  mkdirSync(CACHE, { recursive: true });
  const found = await ask(path, "*/*");
  if (found.statusCode !== 200) throw new TypeError(`${path}: status ${found.statusCode}`);
  const part = `${kept}.${process.pid}`;
  await pipeline(found, createWriteStream(part));
  renameSync(part, kept);
}

/** As npm itself would: its registry, and the authorities it trusts. */
async function ask(path: string, accept: string): Promise<IncomingMessage> {
  const asked = get(new URL(path.slice(1), UPSTREAM), { headers: { accept }, ca: AUTHORITIES });
  const [found] = (await once(asked, "response")) as [IncomingMessage];
  return found;
}
