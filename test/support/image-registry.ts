import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer, connect, type AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { findPrograms, succeed } from "../../bench/peers/peer.ts";
import { createCertificates } from "../../simulator/cloud/certificate.ts";
import { spawnProcess } from "../../src/platform/process.ts";
import { allOf, program, requirement, root, type Requirement } from "./requirement.ts";

const CACHE = "/var/cache/cattlegrid/registry";
const AUTHORITIES = "/etc/containers/certs.d";

/** Root tells the machine whom to trust; the program comes from Debian, unpacked and not installed. */
export const REGISTRY: Requirement = allOf(
  root(),
  program("skopeo"),
  program("umoci"),
  requirement("a registry of images", () =>
    existsSync(CACHE) || program("docker-registry").met || program("apt-get").met
      ? undefined
      : "neither docker-registry nor apt-get, which would fetch it, is installed",
  ),
);

/** A registry of images on loopback. */
export interface ImageRegistry extends AsyncDisposable {
  /** `localhost:port`, as references begin. */
  place: string;
  /** Puts an image of an OCI layout into it; returns its digest. */
  push(layout: string, name: string): Promise<string>;
  /** Forgets the authority that vouches for it. */
  distrust(): void;
  /** Ends it, whatever it does. */
  stop(): Promise<void>;
}

/** `isPrivate`: whoever fetches has to say who it is. */
export async function openRegistry(
  directory: string,
  { isPrivate = false }: { isPrivate?: boolean } = {},
): Promise<ImageRegistry> {
  mkdirSync(directory, { recursive: true });
  const environment = await findRegistry();
  const port = await freePort();
  const place = `localhost:${port}`;
  const { authority, certificate, privateKey } = createCertificates(["localhost"]);
  writeFileSync(join(directory, "cert.pem"), certificate);
  writeFileSync(join(directory, "key.pem"), privateKey, { mode: 0o600 });
  // Nobody's, as nobody's password has this hash.
  writeFileSync(join(directory, "people"), "ada:$2y$05$nothing\n");
  const configuration = {
    version: "0.1",
    log: { level: "error", accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: join(directory, "images") } },
    http: {
      addr: `127.0.0.1:${port}`,
      tls: { certificate: join(directory, "cert.pem"), key: join(directory, "key.pem") },
    },
    ...(isPrivate ? { auth: { htpasswd: { realm: "it", path: join(directory, "people") } } } : {}),
  };
  writeFileSync(join(directory, "config.yml"), JSON.stringify(configuration));
  const trusted = trust(place, authority);
  const argv = ["docker-registry", "serve", join(directory, "config.yml")];
  const child = spawnProcess(argv, { environment, stdio: ["ignore", "ignore", "pipe"] });
  let complaint = "";
  child.stderr?.on("data", (bytes: Buffer) => (complaint += String(bytes)));
  const exited = once(child, "exit");
  await answering(port, () => (child.exitCode === null ? undefined : complaint));
  const stop = async (): Promise<void> => {
    child.kill("SIGKILL");
    await exited;
  };
  return {
    place,
    async push(layout, name) {
      const to = `docker://${place}/${name}`;
      const digest = join(directory, "digest");
      await succeed(["skopeo", "copy", "--quiet", `--digestfile=${digest}`, layout, to], {
        cwd: directory,
      });
      return succeed(["cat", digest], { cwd: directory });
    },
    distrust: () => trusted[Symbol.dispose](),
    stop,
    async [Symbol.asyncDispose]() {
      trusted[Symbol.dispose]();
      await stop();
    },
  };
}

function trust(place: string, authority: string): Disposable {
  const isOurs = !existsSync(AUTHORITIES);
  mkdirSync(join(AUTHORITIES, place), { recursive: true });
  writeFileSync(join(AUTHORITIES, place, "ca.crt"), authority);
  return {
    [Symbol.dispose]() {
      rmSync(join(AUTHORITIES, place), { recursive: true, force: true });
      try {
        if (isOurs) rmdirSync(AUTHORITIES);
      } catch (error) {
        // Another test's is still there.
        const { code } = error as NodeJS.ErrnoException;
        if (code !== "ENOTEMPTY" && code !== "ENOENT") throw error;
      }
    },
  };
}

async function findRegistry(): Promise<Record<string, string>> {
  const path = process.env["PATH"] ?? "/usr/bin:/bin";
  const cached = join(CACHE, "debian/usr/bin");
  if (!program("docker-registry").met && !existsSync(cached)) {
    mkdirSync(join(CACHE, ".."), { recursive: true });
    const building = mkdtempSync(`${CACHE}.`);
    await findPrograms(["docker-registry"], ["docker-registry"], building);
    chmodSync(building, 0o755);
    try {
      renameSync(building, CACHE);
    } catch (error) {
      if (!existsSync(cached)) throw error;
      rmSync(building, { recursive: true });
    }
  }
  return { PATH: `${path}:${cached}`, HOME: "/nonexistent" };
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

async function answering(port: number, ended: () => string | undefined): Promise<void> {
  for (;;) {
    const socket = connect(port, "127.0.0.1");
    const answers = await new Promise<boolean>((resolve) => {
      socket.once("connect", () => resolve(true));
      socket.once("error", () => resolve(false));
    });
    socket.destroy();
    if (answers) return;
    const why = ended();
    if (why !== undefined) throw new TypeError(`the registry ended: ${why}`);
    await delay(20);
  }
}
