/** Servers on loopback for real clients: a forge, registries, a chat and a database, as small as their protocols allow. */
import { createHash, generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer as createHttpsServer } from "node:https";
import { createSecureServer } from "node:http2";
import { createServer, Socket, type AddressInfo, type Server } from "node:net";
import { join } from "node:path";
import ssh2 from "ssh2";
import { WebSocketServer } from "ws";
import { createCertificates } from "../../simulator/cloud/certificate.ts";
import { serveGit, type Answer } from "./git-server.ts";
import { runProcess, spawnProcess } from "../../src/platform/process.ts";

export const NAMES = ["api", "git", "npm", "pypi", "crates", "deb", "chat", "db"].map(
  (each) => `${each}.example`,
);

/** Where clients look that nobody has told of another place. */
const USUAL_NAMES: Readonly<Record<string, string>> = {
  "registry.npmjs.org": "npm.example",
  "pypi.org": "pypi.example",
};

export interface RealServers {
  /** As CATTLEGRID_MIRRORS takes them. */
  mirrors: string;
  authority: string;
  /** `host method path` of every request that arrived. */
  asked: string[];
  close(): Promise<void>;
}

export async function openRealServers(directory: string): Promise<RealServers> {
  const {
    authority,
    certificate: cert,
    privateKey: key,
  } = createCertificates([...NAMES, ...Object.keys(USUAL_NAMES)]);
  const asked: string[] = [];
  const answers: Record<string, Answer> = {
    "git.example": serveGit(await makeRepository(directory)),
    "npm.example": serveFiles(await makeNodePackage(directory)),
    "pypi.example": serveFiles(await makeWheel(directory)),
    "crates.example": serveFiles(await makeCrate(directory)),
    "deb.example": serveFiles(await makeDebian(directory)),
  };
  const dispatch: Answer = (request, response) => {
    const host = String(request.headers[":authority"] ?? request.headers.host);
    asked.push(`${host} ${request.method} ${request.url}`);
    const answer = answers[USUAL_NAMES[host] ?? host];
    if (answer !== undefined) return answer(request, response);
    response.end(`hello by ${request.httpVersion}\n`);
  };
  const web = createSecureServer({ key, cert, allowHTTP1: true }, dispatch as never);
  const chat = createHttpsServer({ key, cert });
  new WebSocketServer({ server: chat }).on("connection", (socket) => {
    socket.on("message", (data) => socket.send(data, { binary: false }));
  });
  const repository = join(directory, "repository.git");
  const opened: [string, Server][] = [
    ["api.example:443", web],
    ["git.example:443", web],
    ["npm.example:443", web],
    ["pypi.example:443", web],
    ["crates.example:443", web],
    ["deb.example:443", web],
    ...Object.keys(USUAL_NAMES).map((name): [string, Server] => [`${name}:443`, web]),
    ["chat.example:443", chat],
    ["git.example:22", createSshServer(repository)],
    ["db.example:5432", createServer(serveDatabase)],
  ];
  const sockets = new Set<Socket>();
  const ports = new Map<Server, number>();
  for (const server of new Set(opened.map(([, each]) => each))) {
    server.on("connection", (socket: unknown) => {
      // The SSH server tells of sessions of its own kind, which end with their client.
      if (socket instanceof Socket) sockets.add(socket);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    ports.set(server, (server.address() as AddressInfo).port);
  }
  return {
    mirrors: opened.map(([place, server]) => `${place}=127.0.0.1:${ports.get(server)}`).join(","),
    authority,
    asked,
    async close() {
      for (const socket of sockets) socket.destroy();
      for (const server of ports.keys()) await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function must(argv: readonly string[], cwd: string): Promise<string> {
  const environment = {
    ...(process.env as Record<string, string>),
    GIT_CONFIG_GLOBAL: "/dev/null",
  };
  const { code, stdout, stderr } = await runProcess(argv, { cwd, environment });
  if (code !== 0) throw new TypeError(`${argv.join(" ")}: ${stderr}`);
  return stdout;
}

async function makeRepository(directory: string): Promise<string> {
  const work = join(directory, "work");
  mkdirSync(work);
  writeFileSync(join(work, "README"), "from the forge\n");
  await must(["git", "init", "-q", "-b", "main"], work);
  await must(["git", "add", "."], work);
  const identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"];
  await must(["git", ...identity, "commit", "-qm", "first"], work);
  await must(["git", "clone", "-q", "--bare", work, "repository.git"], directory);
  await must(["git", "config", "http.receivepack", "true"], join(directory, "repository.git"));
  return directory;
}

/** Accepts every key and runs git's own program for the repository. */
function createSshServer(repository: string): Server {
  const { privateKey } = generateKeyPairSync("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "pkcs1", format: "pem" },
    privateKeyEncoding: { type: "pkcs1", format: "pem" },
  });
  const server = new ssh2.Server({ hostKeys: [privateKey] }, (client) => {
    client.on("error", () => undefined);
    client.on("authentication", (context) => context.accept());
    client.on("session", (accept) => {
      accept().on("exec", (acceptExec, _reject, { command }) => {
        const stream = acceptExec();
        const [program = ""] = command.split(" ");
        const child = spawnProcess([program, repository], {
          environment: {
            ...(process.env as Record<string, string>),
            GIT_CONFIG_COUNT: "1",
            GIT_CONFIG_KEY_0: "safe.directory",
            GIT_CONFIG_VALUE_0: "*",
          },
        });
        if (child.stdin !== null) stream.pipe(child.stdin);
        child.stdout?.pipe(stream, { end: false });
        child.once("close", (code) => {
          stream.exit(code ?? 1);
          stream.end();
        });
      });
    });
  });
  return server as unknown as Server;
}

type Files = ReadonlyMap<string, string | Buffer>;

function serveFiles(files: Files): Answer {
  return (request, response) => {
    const path = decodeURIComponent((request.url ?? "").split("?", 1)[0] ?? "");
    const content = files.get(path);
    if (content === undefined) response.statusCode = 404;
    if (typeof content === "string") response.setHeader("content-type", "text/html");
    response.end(content ?? "no such file");
  };
}

async function makeNodePackage(directory: string): Promise<Files> {
  const folder = join(directory, "npm/package");
  mkdirSync(folder, { recursive: true });
  const manifest = { name: "tiny", version: "1.0.0", main: "index.js", bin: "program.js" };
  writeFileSync(join(folder, "package.json"), JSON.stringify(manifest));
  writeFileSync(join(folder, "index.js"), "module.exports = 'tiny from npm';\n");
  const program = "#!/usr/bin/env node\nconsole.log(require('./index.js'));\n";
  writeFileSync(join(folder, "program.js"), program, { mode: 0o755 });
  await must(["tar", "czf", "tiny.tgz", "package"], join(directory, "npm"));
  const tarball = readFileSync(join(directory, "npm/tiny.tgz"));
  const integrity = `sha512-${createHash("sha512").update(tarball).digest("base64")}`;
  // npm asks the registry that it was told of in place of this one.
  const dist = { tarball: "https://registry.npmjs.org/tiny/-/tiny-1.0.0.tgz", integrity };
  const packument = {
    name: "tiny",
    "dist-tags": { latest: "1.0.0" },
    versions: { "1.0.0": { ...manifest, dist } },
  };
  return new Map<string, string | Buffer>([
    ["/tiny", JSON.stringify(packument)],
    ["/tiny/-/tiny-1.0.0.tgz", tarball],
  ]);
}

async function makeWheel(directory: string): Promise<Files> {
  const folder = join(directory, "pypi");
  mkdirSync(folder);
  const name = "tiny-1.0.0-py3-none-any.whl";
  const script = `
import zipfile
with zipfile.ZipFile("${name}", "w") as wheel:
    wheel.writestr("tiny.py", "WHERE = 'tiny from pypi'\\ndef tell():\\n    print(WHERE)\\n")
    wheel.writestr("tiny-1.0.0.dist-info/entry_points.txt", "[console_scripts]\\ntiny-py = tiny:tell\\n")
    wheel.writestr("tiny-1.0.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: tiny\\nVersion: 1.0.0\\n")
    wheel.writestr("tiny-1.0.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
    wheel.writestr("tiny-1.0.0.dist-info/RECORD", "tiny.py,,\\ntiny-1.0.0.dist-info/entry_points.txt,,\\ntiny-1.0.0.dist-info/METADATA,,\\ntiny-1.0.0.dist-info/WHEEL,,\\ntiny-1.0.0.dist-info/RECORD,,\\n")
`;
  await must(["python3", "-c", script], folder);
  return new Map<string, string | Buffer>([
    ["/simple/tiny/", `<!DOCTYPE html><a href="../../files/${name}">${name}</a>`],
    [`/files/${name}`, readFileSync(join(folder, name))],
  ]);
}

async function makeCrate(directory: string): Promise<Files> {
  const folder = join(directory, "crates");
  mkdirSync(join(folder, "tiny-1.0.0/src"), { recursive: true });
  const manifest = '[package]\nname = "tiny"\nversion = "1.0.0"\n';
  writeFileSync(join(folder, "tiny-1.0.0/Cargo.toml"), manifest);
  writeFileSync(join(folder, "tiny-1.0.0/src/lib.rs"), "");
  await must(["tar", "czf", "tiny.crate", "tiny-1.0.0"], folder);
  const crate = readFileSync(join(folder, "tiny.crate"));
  const cksum = createHash("sha256").update(crate).digest("hex");
  const line = { name: "tiny", vers: "1.0.0", deps: [], cksum, features: {}, yanked: false };
  return new Map<string, string | Buffer>([
    ["/index/config.json", JSON.stringify({ dl: "https://crates.example/dl" })],
    ["/index/ti/ny/tiny", `${JSON.stringify(line)}\n`],
    ["/dl/tiny/1.0.0/download", crate],
  ]);
}

async function makeDebian(directory: string): Promise<Files> {
  const folder = join(directory, "deb");
  const control = join(folder, "tiny/DEBIAN");
  mkdirSync(control, { recursive: true });
  const fields =
    "Package: tiny\nVersion: 1.0\nArchitecture: all\nMaintainer: Ada <ada@example.com>\n";
  writeFileSync(join(control, "control"), `${fields}Description: tiny\n`);
  await must(["dpkg-deb", "--root-owner-group", "-b", "tiny", "tiny.deb"], folder);
  const bytes = readFileSync(join(folder, "tiny.deb"));
  const sum = createHash("sha256").update(bytes).digest("hex");
  const entry = `${fields}Filename: flat/tiny.deb\nSize: ${bytes.length}\nSHA256: ${sum}\nDescription: tiny\n`;
  return new Map<string, string | Buffer>([
    ["/flat/Packages", entry],
    ["/flat/tiny.deb", bytes],
  ]);
}

const READY_FOR_QUERY = message("Z", Buffer.from("I"));

/** As much of PostgreSQL's protocol as one `select` needs. */
function serveDatabase(socket: Socket): void {
  let isStarted = false;
  socket.on("error", () => undefined);
  socket.on("data", (bytes: Buffer) => {
    if (!isStarted) {
      const code = bytes.readUInt32BE(4);
      // Requests for encryption by TLS and by GSS: no.
      if (code === 80_877_103 || code === 80_877_104) return void socket.write("N");
      isStarted = true;
      const version = Buffer.from("server_version\0" + "15.0\0");
      socket.write(
        Buffer.concat([message("R", Buffer.alloc(4)), message("S", version), READY_FOR_QUERY]),
      );
      return;
    }
    if (bytes[0] === 0x58) return void socket.end();
    const column = Buffer.concat([
      Buffer.from("said\0"),
      Buffer.alloc(6),
      int(25, 4),
      int(0xffff, 2),
      int(0, 4),
      int(0, 2),
    ]);
    const text = Buffer.from("hello from the database");
    socket.write(
      Buffer.concat([
        message("T", Buffer.concat([int(1, 2), column])),
        message("D", Buffer.concat([int(1, 2), int(text.length, 4), text])),
        message("C", Buffer.from("SELECT 1\0")),
        READY_FOR_QUERY,
      ]),
    );
  });
}

function message(type: string, body: Buffer): Buffer {
  return Buffer.concat([Buffer.from(type), int(body.length + 4, 4), body]);
}

function int(value: number, width: 2 | 4): Buffer {
  const bytes = Buffer.alloc(width);
  bytes.writeUIntBE(value, 0, width);
  return bytes;
}
