// Makes dist/cattlegrid-VERSION-linux-ARCH.tar.gz: the compiled program with its packages and Node.js, for machines without it.
import { execFileSync } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";

const ROOT = join(import.meta.dirname, "..");
const COPIED = [
  "bin/cattlegrid",
  "docs",
  "templates",
  "LICENSE",
  "README.md",
  "SECURITY.md",
  "CHANGELOG.md",
];
const NODE = "node_modules/node/bin/node";

interface PackageFile {
  version: string;
  scripts?: unknown;
  devDependencies?: unknown;
  allowScripts?: unknown;
}

const staging = mkdtempSync(join(tmpdir(), "cattlegrid-tarball-"));
try {
  console.log(makeArchive(join(staging, "cattlegrid")));
} finally {
  rmSync(staging, { recursive: true });
}

function makeArchive(folder: string): string {
  const { version, ...rest } = JSON.parse(
    readFileSync(join(ROOT, "package.json"), "utf8"),
  ) as PackageFile;
  mkdirSync(join(folder, "bin"), { recursive: true });
  run(
    "node_modules/typescript/bin/tsc",
    "-p",
    "tsconfig.build.json",
    "--outDir",
    join(folder, "dist"),
  );
  for (const path of COPIED) cpSync(join(ROOT, path), join(folder, path), { recursive: true });
  symlinkSync("cattlegrid", join(folder, "bin/cg"));
  const { scripts: _scripts, devDependencies: _tools, allowScripts: _allowed, ...kept } = rest;
  writeFileSync(
    join(folder, "package.json"),
    `${JSON.stringify({ version, ...kept }, undefined, 2)}\n`,
  );
  for (const path of listPackages()) {
    cpSync(join(ROOT, path), join(folder, path), { recursive: true });
  }
  mkdirSync(dirname(join(folder, NODE)), { recursive: true });
  cpSync(join(ROOT, NODE), join(folder, NODE), { dereference: true });
  return pack(folder, `cattlegrid-${version}-${process.platform}-${process.arch}.tar.gz`);
}

/** The packages that the program needs when it runs, each with what is in it. */
function listPackages(): string[] {
  const output = execFileSync("npm", ["ls", "--omit=dev", "--all", "--parseable"], {
    cwd: ROOT,
    encoding: "utf8",
  });
  const paths = output
    .trim()
    .split("\n")
    .map((path) => relative(ROOT, path));
  // A package inside another one comes along with it.
  return paths.filter((path) => path !== "" && path.lastIndexOf("node_modules") === 0);
}

function pack(folder: string, name: string): string {
  mkdirSync(join(ROOT, "dist"), { recursive: true });
  const archive = join(ROOT, "dist", name);
  const owner = ["--owner=0", "--group=0", "--sort=name"];
  execFileSync("tar", ["-C", dirname(folder), ...owner, "-czf", archive, "cattlegrid"], {
    env: { ...process.env, GZIP: "-3" },
    stdio: ["ignore", "inherit", "ignore"],
  });
  return archive;
}

function run(script: string, ...argv: readonly string[]): void {
  execFileSync(process.execPath, [join(ROOT, script), ...argv], { cwd: ROOT, stdio: "inherit" });
}
