import { CattlegridError } from "../src/errors/error.ts";
import { runProcess } from "../src/platform/process.ts";
import { BenchDaemon } from "./daemon.ts";
import type { Figure } from "./report.ts";
import { medianRatio, timeInTurn, type Subject } from "./statistics.ts";
import { makeToolchainProject } from "./toolchain-project.ts";
import type { BenchContext } from "./yard.ts";

const RUNS = 9;
const MODES = ["direct", "overlay", "clone"] as const;

interface Task {
  script: string;
  /** Only shown, for a reason that stands beside it. */
  isShown?: boolean;
}

const PIP =
  "/usr/bin/python3 -m pip install -q --no-index --no-deps --break-system-packages --disable-pip-version-check";

/** Each in a fresh directory below the project, with all it needs in the project: no network has a part in it. */
const TASKS: Readonly<Record<string, Task>> = {
  "git clone of 2000 files": { script: "git clone -q large.bundle $W/c" },
  // So short that starting a program inside, which P2 is about, is much of what is added.
  "git clone of 150 files": { script: "git clone -q small.bundle $W/c", isShown: true },
  "npm ci": {
    script:
      "cp -r package $W/p && cd $W/p && npm ci --offline --no-audit --no-fund --cache $W/cache --loglevel=error",
  },
  "C build": { script: "cp -r c $W/c && make -s -j2 -C $W/c" },
  "pip install": { script: `${PIP} --prefix $W/t wheels/*.whl` },
  // It installs below /tmp and moves that: by name where both are one disk, file by file where /tmp is memory, as inside.
  "pip install --target": { script: `${PIP} --target $W/t wheels/*.whl`, isShown: true },
};

/** P9: what agents do all day, inside and outside in turn, in each workspace mode. */
export async function measureToolchain(context: BenchContext): Promise<Figure[]> {
  const { yard, signal, effort } = context;
  // First, as a daemon with nothing to do would be gone again.
  const project = await makeToolchainProject(yard.makeDirectory("project"));
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
  for (const [task, { script, isShown = false }] of Object.entries(TASKS)) {
    const subjects: Record<string, Subject> = {
      outside: () => outside(project, script, own),
    };
    for (const [mode, id] of Object.entries(ids)) {
      subjects[mode] = () => inside(daemon, { id, project, script });
    }
    const times = await timeInTurn(subjects, rounds);
    const floor = times["outside"];
    if (floor === undefined) continue;
    figures.push({ promise: "P9", what: `${task} outside, p50`, value: floor.p50, unit: "ms" });
    for (const mode of MODES) {
      const value = medianRatio(times[mode] ?? floor, floor);
      const what = `${task}, mode ${mode}, to outside`;
      const target = isShown ? {} : { target: { atMost: 1.15 }, gates: true };
      figures.push({ promise: "P9", what, value, unit: "×", ...target });
    }
  }
  return figures;
}

/**
 * What a run made stays until the end: ext4 without a journal passes over every inode that was freed in the last minutes,
 * so that each run would pay for what the one before it had removed.
 */
const wrap = (script: string): string[] => [
  "bash",
  "-c",
  `set -e; W=$(mktemp -d "$PWD/out.XXXXXX"); (${script}) >/dev/null`,
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
): Promise<void> {
  const { code, stderr } = await runProcess(wrap(script), { cwd: project, environment });
  if (code !== 0) throw new CattlegridError("INTERNAL", `outside: ${stderr}`);
}

async function inside(
  daemon: BenchDaemon,
  { id, project, script }: { id: string; project: string; script: string },
): Promise<void> {
  let errors = "";
  const sink = {
    output: async () => undefined,
    errors: async (bytes: Uint8Array) => void (errors += Buffer.from(bytes).toString()),
  };
  const link = await daemon.exec(id, { argv: wrap(script), cwd: project }, sink);
  const ending = await link.ending;
  if (ending.code !== 0) throw new CattlegridError("INTERNAL", `inside: ${errors}`);
}
