import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { runProcess } from "../../src/platform/process.ts";

/** A source of packages for apt on loopback, with one package, `tiny`, that has a program of its name. */
export interface PackageSource extends AsyncDisposable {
  /** As CATTLEGRID_MIRRORS takes them. */
  mirrors: string;
  /** The public key that it is signed with. */
  key: Buffer;
  /** Paths that were asked for. */
  asked: string[];
  /** Changes what it serves after it was signed. */
  spoil(): void;
}

/** Where a base that trusts the key finds it. */
export const SOURCE_LINE =
  "deb [signed-by=/usr/share/keyrings/tiny.gpg] http://deb.example/debian ./\n";

export async function openPackageSource(directory: string): Promise<PackageSource> {
  const files = new Map<string, Buffer>();
  const serve = (name: string): void =>
    void files.set(`/debian/./${name}`, readFileSync(join(directory, "source", name)));
  await makePackage(directory);
  const key = await sign(directory);
  for (const name of ["InRelease", "Packages", "tiny.deb"]) serve(name);
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? "");
    const path = request.url?.replace(/^\/debian\/(?!\.\/)/, "/debian/./") ?? "";
    const content = files.get(path);
    if (content === undefined) response.statusCode = 404;
    response.end(content);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    mirrors: `deb.example:80=127.0.0.1:${port}`,
    key,
    asked,
    spoil() {
      const signed = files.get("/debian/./InRelease")?.toString() ?? "";
      files.set("/debian/./InRelease", Buffer.from(signed.replace("Suite: tiny", "Suite: evil")));
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

async function makePackage(directory: string): Promise<void> {
  const control = join(directory, "tiny/DEBIAN");
  const programs = join(directory, "tiny/usr/bin");
  for (const path of [control, programs, join(directory, "source")]) {
    mkdirSync(path, { recursive: true });
  }
  const fields =
    "Package: tiny\nVersion: 1.0\nArchitecture: all\nMaintainer: Ada <ada@example.com>\n";
  writeFileSync(join(control, "control"), `${fields}Description: tiny\n`);
  // As packages do: an account of its own, and files that belong to it.
  const postinst = `#!/bin/sh
set -e
groupadd --system tiny
useradd --system --gid tiny --home-dir /nonexistent --shell /usr/sbin/nologin tiny
install -d -o tiny -g tiny -m 2750 /var/lib/tiny
ldconfig
`;
  writeFileSync(join(control, "postinst"), postinst, { mode: 0o755 });
  writeFileSync(join(programs, "tiny"), "#!/bin/sh\necho tiny from apt\n", { mode: 0o755 });
  await must(["dpkg-deb", "--root-owner-group", "-b", "tiny", "source/tiny.deb"], directory);
  const bytes = readFileSync(join(directory, "source/tiny.deb"));
  const entry = `${fields}Filename: ./tiny.deb\nSize: ${bytes.length}\nSHA256: ${digest(bytes)}\nDescription: tiny\n`;
  writeFileSync(join(directory, "source/Packages"), entry);
}

/** Signs the list of packages with a key that is made for it; returns the public one. */
async function sign(directory: string): Promise<Buffer> {
  const source = join(directory, "source");
  const list = readFileSync(join(source, "Packages"));
  const date = new Date().toUTCString().replace("GMT", "UTC");
  const release = `Suite: tiny\nCodename: tiny\nDate: ${date}\nArchitectures: all\nSHA256:\n ${digest(list)} ${list.length} Packages\n`;
  writeFileSync(join(source, "Release"), release);
  const home = join(directory, "gnupg");
  mkdirSync(home, { mode: 0o700 });
  const gpg = (...argv: readonly string[]): Promise<void> =>
    must(["gpg", "--homedir", home, "--batch", "--yes", "--quiet", ...argv], source);
  try {
    await gpg("--passphrase", "", "--quick-gen-key", "tiny@example.com", "rsa2048", "sign", "1d");
    await gpg("--clearsign", "--output", "InRelease", "Release");
    await gpg("--output", "../key.gpg", "--export");
    return readFileSync(join(directory, "key.gpg"));
  } finally {
    await must(["gpgconf", "--homedir", home, "--kill", "all"], source);
    rmSync(home, { recursive: true, force: true });
  }
}

function digest(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}

async function must(argv: readonly string[], cwd: string): Promise<void> {
  const { code, stderr } = await runProcess(argv, { cwd });
  if (code !== 0) throw new TypeError(`${argv.join(" ")}: ${stderr}`);
}
