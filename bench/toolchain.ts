import { CattlegridError } from "../src/errors/error.ts";
import { runProcess } from "../src/platform/process.ts";
import { BareOverlay } from "./bare-overlay.ts";
import { BenchDaemon } from "./daemon.ts";
import type { Figure } from "./report.ts";
import { medianRatio, timeInTurn, type Subject, type Summary } from "./statistics.ts";
import { makeToolchainProject } from "./toolchain-project.ts";
import type { BenchContext, Yard } from "./yard.ts";

const RUNS = 9;
const MODES = ["direct", "overlay", "clone"] as const;
const RATIO_MAX = 1.15;
const BARE = "the kernel's overlay alone";

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
  const environment = {
    PATH: await readPath(daemon, ids["direct"] ?? ""),
    HOME: yard.makeDirectory("home"),
  };
  await using stack = new AsyncDisposableStack();
  const bare = await openBare(stack, { project, yard });
  const rounds = { warmUp: 1, counted: Math.max(2, Math.ceil(RUNS * effort)), signal };
  const figures: Figure[] = "absence" in bare ? [bare.absence] : [];
  for (const [task, { script, isShown = false }] of Object.entries(TASKS)) {
    const subjects: Record<string, Subject> = {
      outside: () => outside({ project, script, environment }),
    };
    if ("enter" in bare) {
      subjects[BARE] = () => outside({ project, script, environment, enter: bare.enter });
    }
    for (const [mode, id] of Object.entries(ids)) {
      subjects[`mode ${mode}`] = () => inside(daemon, { id, project, script });
    }
    figures.push(...compare(task, await timeInTurn(subjects, rounds), isShown));
  }
  return figures;
}

/** Where nobody but the runtime may mount one, it is not compared. */
async function openBare(
  stack: AsyncDisposableStack,
  { project, yard }: { project: string; yard: Yard },
): Promise<BareOverlay | { absence: Figure }> {
  try {
    return stack.use(await BareOverlay.open(project, yard.makeDirectory("bare")));
  } catch (error) {
    if (!CattlegridError.is(error)) throw error;
    const what = `${BARE} is not measured: ${error.message.split("\n")[0]}`;
    return { absence: { promise: "P9", what, value: Number.NaN, unit: "" } };
  }
}

/**
 * The ratios of which both sides were measured. In mode `overlay` a part of the time is the kernel's, whoever mounts
 * its overlay: where that was measured, it is what the mode is held against, and the ratio to outside is shown.
 */
export function compare(
  task: string,
  times: Readonly<Record<string, Summary>>,
  isShown = false,
): Figure[] {
  const comparisons = [
    { of: "mode direct", to: "outside", gates: true },
    { of: "mode clone", to: "outside", gates: true },
    { of: "mode overlay", to: "outside", gates: times[BARE] === undefined },
    { of: "mode overlay", to: BARE, gates: true },
    { of: BARE, to: "outside" },
  ];
  const promise = "P9";
  const ratios = comparisons.flatMap(({ of, to, gates }): Figure[] => {
    const [subject, other] = [times[of], times[to]];
    if (subject === undefined || other === undefined) return [];
    const value = medianRatio(subject, other);
    const figure = { promise, what: `${task}, ${of}, to ${to}`, value, unit: "×" } as const;
    if (isShown || gates === undefined) return [figure];
    return [{ ...figure, target: { atMost: RATIO_MAX }, gates }];
  });
  const floor = times["outside"]?.p50 ?? Number.NaN;
  return [{ promise, what: `${task} outside, p50`, value: floor, unit: "ms" }, ...ratios];
}

/**
 * What a run made stays until the end: ext4 without a journal passes over every inode that was freed in the last minutes,
 * so that each run would pay for what the one before it had removed.
 */
const wrap = (script: string, project: string): string[] => [
  "bash",
  "-c",
  `set -e; cd "$1"; W=$(mktemp -d "$PWD/out.XXXXXX"); (${script}) >/dev/null`,
  "bash",
  project,
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

async function outside(run: {
  project: string;
  script: string;
  environment: Readonly<Record<string, string>>;
  /** Command prefix. Default: none. */
  enter?: readonly string[];
}): Promise<void> {
  const { project, script, environment, enter = [] } = run;
  const { code, stderr } = await runProcess([...enter, ...wrap(script, project)], { environment });
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
  const link = await daemon.exec(id, { argv: wrap(script, project) }, sink);
  const ending = await link.ending;
  if (ending.code !== 0) throw new CattlegridError("INTERNAL", `inside: ${errors}`);
}
