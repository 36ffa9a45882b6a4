import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CattlegridError } from "../src/errors/error.ts";
import { runProcess } from "../src/platform/process.ts";
import { BenchDaemon } from "./daemon.ts";
import type { Figure } from "./report.ts";
import { timeInTurn, type Subject } from "./statistics.ts";
import type { BenchContext } from "./yard.ts";

const RUNS = 5;
const SOURCES = 60;
const COMMITS = 150;
const MODES = ["direct", "overlay", "clone"] as const;

/** Each in a fresh directory below the project, with all it needs in the project: no network has a part in it. */
const TASKS: Readonly<Record<string, string>> = {
  "git clone": "for i in 1 2 3; do git clone -q seed.bundle $W/c$i; done",
  "npm ci":
    "cp -r package $W/p && cd $W/p && npm ci --offline --no-audit --no-fund --cache $W/cache --loglevel=error",
  "C build": "cp -r c $W/c && make -s -j2 -C $W/c",
  "pip install":
    "/usr/bin/python3 -m pip install -q --no-index --no-deps --break-system-packages --disable-pip-version-check --target $W/t wheels/*.whl",
};

/** P9: what agents do all day, inside and outside in turn, in each workspace mode. */
export async function measureToolchain(context: BenchContext): Promise<Figure[]> {
  const { yard, signal, effort } = context;
  // First, as a daemon with nothing to do would be gone again.
  const project = await makeProject(yard.makeDirectory("project"));
  await using daemon = await BenchDaemon.open(yard.makeDirectory("toolchain"));
  const ids: Record<string, string> = {};
  for (const mode of MODES) {
    ids[mode] = (await daemon.start(`tools-${mode}`, { workspace: project, mode })).id;
  }
  const own = {
    PATH: await readPath(daemon, ids["direct"] ?? ""),
    HOME: yard.makeDirectory("home"),
  };
  const rounds = { warmUp: 1, counted: Math.max(2, Math.ceil(RUNS * effort)), signal };
  const figures: Figure[] = [];
  for (const [task, script] of Object.entries(TASKS)) {
    const subjects: Record<string, Subject> = {
      outside: () => outside(project, script, own),
    };
    for (const [mode, id] of Object.entries(ids)) {
      subjects[mode] = () => inside(daemon, { id, project, script });
    }
    const times = await timeInTurn(subjects, rounds);
    const floor = times["outside"]?.p50 ?? Number.NaN;
    figures.push({ promise: "P9", what: `${task} outside, p50`, value: floor, unit: "ms" });
    for (const mode of MODES) {
      const value = (times[mode]?.p50 ?? Number.NaN) / floor;
      const what = `${task}, mode ${mode}, to outside`;
      const target = { atMost: 1.15 };
      figures.push({ promise: "P9", what, value, unit: "×", target, gates: true });
    }
  }
  return figures;
}

const wrap = (script: string): string[] => [
  "bash",
  "-c",
  `set -e; W=$(mktemp -d "$PWD/out.XXXXXX"); (${script}) >/dev/null; echo "$W"`,
];

/** The programs inside are the machine's own; `npm run` would put another Node in front of them. */
async function readPath(daemon: BenchDaemon, id: string): Promise<string> {
  const sink = {
    output: async (bytes: Uint8Array) => void chunks.push(bytes),
    errors: async () => undefined,
  };
  const chunks: Uint8Array[] = [];
  const link = await daemon.exec(id, { argv: ["printenv", "PATH"] }, sink);
  await link.ending;
  return Buffer.concat(chunks).toString().trim();
}

async function outside(
  project: string,
  script: string,
  environment: Readonly<Record<string, string>>,
): Promise<() => Promise<unknown>> {
  const { code, stdout, stderr } = await runProcess(wrap(script), { cwd: project, environment });
  if (code !== 0) throw new CattlegridError("INTERNAL", `outside: ${stderr}`);
  return () => runProcess(["rm", "-rf", "--", stdout.trim()]);
}

async function inside(
  daemon: BenchDaemon,
  { id, project, script }: { id: string; project: string; script: string },
): Promise<() => Promise<unknown>> {
  const text = { output: "", errors: "" };
  const take = (name: keyof typeof text) => async (bytes: Uint8Array) =>
    void (text[name] += Buffer.from(bytes).toString());
  const sink = { output: take("output"), errors: take("errors") };
  const link = await daemon.exec(id, { argv: wrap(script), cwd: project }, sink);
  const ending = await link.ending;
  if (ending.code !== 0) throw new CattlegridError("INTERNAL", `inside: ${text.errors}`);
  const quiet = { output: async () => undefined, errors: async () => undefined };
  return async () => {
    const argv = ["rm", "-rf", "--", text.output.trim()];
    return (await daemon.exec(id, { argv }, quiet)).ending;
  };
}

/** A repository that holds a repository, a package with a dependency, C sources and a wheel. */
async function makeProject(path: string): Promise<string> {
  const run = async (script: string, cwd = path): Promise<void> => {
    const { code, stderr } = await runProcess(["bash", "-ec", script], { cwd });
    if (code !== 0) throw new CattlegridError("INTERNAL", `preparing: ${stderr}`);
  };
  for (const name of ["c", "package", "dependency", "wheels"]) mkdirSync(join(path, name));
  const names = Array.from({ length: SOURCES }, (_, index) => `part${index}`);
  for (const name of names) {
    const body = Array.from({ length: 60 }, (_, line) => `  x = x * ${line + 3} + ${line};`);
    writeFileSync(
      join(path, `c/${name}.c`),
      `int ${name}(int x) {\n${body.join("\n")}\n return x; }\n`,
    );
  }
  const objects = names.map((name) => `${name}.o`).join(" ");
  writeFileSync(
    join(path, "c/Makefile"),
    `CFLAGS = -O2\nall: ${objects}\n\t$(AR) rc all.a ${objects}\n`,
  );
  const dependency = { name: "dependency", version: "1.0.0" };
  writeFileSync(join(path, "dependency/package.json"), JSON.stringify(dependency));
  for (let file = 0; file < 400; file += 1) {
    writeFileSync(
      join(path, `dependency/module${file}.js`),
      `module.exports = ${file};\n`.repeat(20),
    );
  }
  await run("npm pack --silent --pack-destination ../package", join(path, "dependency"));
  const packageJson = {
    name: "x",
    version: "1.0.0",
    dependencies: { dependency: "file:dependency-1.0.0.tgz" },
  };
  writeFileSync(join(path, "package/package.json"), JSON.stringify(packageJson));
  await run("npm install --package-lock-only --offline --silent", join(path, "package"));
  await run(MAKE_WHEEL);
  const seed = mkdtempSync(join(path, "..", "seed-"));
  const commits = `for i in $(seq ${COMMITS}); do seq $i 400 >f$i; git add .; git commit -qm $i; done`;
  const identity = "git config user.name A; git config user.email a@example.org";
  await run(
    `git init -q; ${identity}; ${commits}; git bundle create -q ${path}/seed.bundle --all`,
    seed,
  );
  await run(`git init -q; ${identity}; git add --all --force; git commit -qm project`);
  return path;
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
