import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { send, sendJson } from "./exchange.ts";
import type { Exchange } from "./exchange.ts";
import { DOWNLOAD_HOST } from "./hosts.ts";
import type { Release } from "./package.ts";

/**
 * How an installation goes wrong: `exit-status` installs and then exits 1, `checksum` serves a zip that
 * is not what the manifest says, `unavailable` answers every download with 503.
 */
export type InstallerFault = "none" | "exit-status" | "checksum" | "unavailable";

const INSTALLER = join(import.meta.dirname, "install.bash");

export async function serveInstaller(exchange: Exchange, fault: InstallerFault): Promise<void> {
  if (exchange.url.pathname !== "/install")
    return sendJson(exchange, 404, { message: "not found" });
  const script = await readFile(INSTALLER, "utf8");
  const body = fault === "exit-status" ? `${script}exit 1\n` : script;
  return send(exchange, 200, { type: "text/x-shellscript", body });
}

export async function serveDownload(
  exchange: Exchange,
  release: Release,
  fault: InstallerFault,
): Promise<void> {
  if (fault === "unavailable") return sendJson(exchange, 503, { message: "simulated outage" });
  const [, channel, version, name] = exchange.url.pathname.split("/");
  const isKnown = channel === "stable" && (version === "latest" || version === release.version);
  if (isKnown && name === "manifest.json") {
    const body = fault === "checksum" ? spoilChecksum(release.manifest) : release.manifest;
    return send(exchange, 200, { type: "application/json", body });
  }
  if (!isKnown || name === undefined || !release.zipNames.includes(name)) {
    return sendJson(exchange, 404, { message: `${DOWNLOAD_HOST} has no such file` });
  }
  return sendZip(exchange, release);
}

async function sendZip(exchange: Exchange, release: Release): Promise<void> {
  exchange.response.writeHead(200, {
    "content-type": "application/zip",
    "content-length": release.bytes,
  });
  if (exchange.request.method === "HEAD") {
    exchange.response.end();
    return;
  }
  const file = createReadStream(release.zipPath, { highWaterMark: 1024 * 1024 });
  await pipeline(file, exchange.response);
}

function spoilChecksum(manifest: string): string {
  return manifest.replace(/"sha256":"[0-9a-f]{8}/g, '"sha256":"00000000');
}
