import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CattlegridError } from "../src/errors/error.ts";
import { runProcess } from "../src/platform/process.ts";

const SOURCES = 60;
const MODULES = 400;
const IDENTITY = "git config user.name A; git config user.email a@example.org";

/** A repository that holds two repositories, a package with a dependency, C sources and a wheel. */
export async function makeToolchainProject(path: string): Promise<string> {
  for (const name of ["c", "package", "dependency", "wheels"]) mkdirSync(join(path, name));
  writeSources(join(path, "c"));
  await makePackage(path);
  await prepare(MAKE_WHEEL, path);
  await bundle(join(path, "large.bundle"), { files: 2000, commits: 300 });
  await bundle(join(path, "small.bundle"), { files: 150, commits: 150 });
  await prepare(`git init -q; ${IDENTITY}; git add --all --force; git commit -qm project`, path);
  return path;
}

function writeSources(directory: string): void {
  const names = Array.from({ length: SOURCES }, (_, index) => `part${index}`);
  for (const name of names) {
    const body = Array.from({ length: 60 }, (_, line) => `  x = x * ${line + 3} + ${line};`);
    const source = `int ${name}(int x) {\n${body.join("\n")}\n return x; }\n`;
    writeFileSync(join(directory, `${name}.c`), source);
  }
  const objects = names.map((name) => `${name}.o`).join(" ");
  const rules = `all: ${objects}\n\t$(AR) rc all.a ${objects}\n`;
  writeFileSync(join(directory, "Makefile"), `CFLAGS = -O2\n${rules}`);
}

async function makePackage(path: string): Promise<void> {
  const dependency = { name: "dependency", version: "1.0.0" };
  writeFileSync(join(path, "dependency/package.json"), JSON.stringify(dependency));
  for (let file = 0; file < MODULES; file += 1) {
    const text = `module.exports = ${file};\n`.repeat(20);
    writeFileSync(join(path, `dependency/module${file}.js`), text);
  }
  await prepare("npm pack --silent --pack-destination ../package", join(path, "dependency"));
  const dependencies = { dependency: "file:dependency-1.0.0.tgz" };
  const packageJson = { name: "x", version: "1.0.0", dependencies };
  writeFileSync(join(path, "package/package.json"), JSON.stringify(packageJson));
  await prepare("npm install --package-lock-only --offline --silent", join(path, "package"));
}

/** A repository of `files` files, twenty to a directory, that came in and then changed over `commits` commits. */
async function bundle(
  target: string,
  { files, commits }: { files: number; commits: number },
): Promise<void> {
  const repository = mkdtempSync(join(target, "../../seed-"));
  const stream: string[] = [];
  const perCommit = Math.ceil(files / commits);
  for (let commit = 0; commit < commits; commit += 1) {
    stream.push(
      `commit refs/heads/main\ncommitter A <a@example.org> ${commit + 1} +0000\n${data("x")}`,
    );
    for (let index = 0; index < 2 * perCommit; index += 1) {
      const file = index < perCommit ? commit * perCommit + index : (commit * index) % files;
      if (file >= files) continue;
      const lines = Array.from(
        { length: 100 },
        (_, line) => `line ${line * file} of ${line % 7 === commit % 7 ? commit : 0}`,
      );
      stream.push(`M 644 inline d${Math.floor(file / 20)}/f${file}\n${data(lines.join("\n"))}`);
    }
  }
  writeFileSync(join(repository, "stream"), stream.join(""));
  const load = "git init -q -b main; git fast-import --quiet <stream";
  await prepare(`${load}; git repack -adfq; git bundle create -q ${target} HEAD main`, repository);
}

function data(text: string): string {
  return `data ${Buffer.byteLength(text)}\n${text}\n`;
}

async function prepare(script: string, cwd: string): Promise<void> {
  const { code, stderr } = await runProcess(["bash", "-ec", script], { cwd });
  if (code !== 0) throw new CattlegridError("INTERNAL", `preparing: ${stderr}`);
}

const MAKE_WHEEL = `/usr/bin/python3 - <<'END'
import zipfile
with zipfile.ZipFile("wheels/bench-1.0-py3-none-any.whl", "w") as wheel:
    names = []
    for number in range(300):
        names.append(f"bench/m{number}.py")
        wheel.writestr(names[-1], f"def f(x):\\n    return x + {number}\\n" * 20)
    info = "bench-1.0.dist-info"
    wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\\nName: bench\\nVersion: 1.0\\n")
    wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
    wheel.writestr(f"{info}/RECORD", "".join(f"{name},,\\n" for name in names))
END`;
