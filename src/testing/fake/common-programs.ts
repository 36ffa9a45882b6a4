import { setTimeout as delay } from "node:timers/promises";
import { pipeline } from "node:stream/promises";
import { ARCHIVE_PROGRAMS } from "./archive-programs.ts";
import type { FakeProgram, FakeRun } from "./program.ts";

/** Those that a sandbox can hardly be without, as far as tests of what surrounds one use them. There is no shell. */
export const COMMON_PROGRAMS: Readonly<Record<string, FakeProgram>> = {
  ...ARCHIVE_PROGRAMS,
  cat,
  echo: ({ argv, output }) => say(output, argv.slice(1).join(" ")),
  env: ({ environment, output }) =>
    say(
      output,
      Object.entries(environment)
        .map((entry) => entry.join("="))
        .join("\n"),
    ),
  false: () => 1,
  getent,
  hostname: ({ hostName, output }) => say(output, hostName),
  ls,
  pwd: ({ directory, output }) => say(output, directory),
  rm: (run) =>
    forEachFile(run, (path) => (run.files.remove(path) ? undefined : "No such file or directory")),
  async sleep({ argv, signal }) {
    await delay(Number(argv[1] ?? 0) * 1000, undefined, { signal });
    return 0;
  },
  stty({ argv, terminal, output, errors }) {
    if (terminal === undefined) return fail(errors, "stty: not a terminal");
    if (argv[1] !== "size") return fail(errors, "stty: the fake knows only its size");
    return say(output, `${terminal.rows} ${terminal.columns}`);
  },
  async tee(run) {
    const chunks: Buffer[] = [];
    for await (const chunk of run.input) chunks.push(chunk as Buffer);
    run.output.write(Buffer.concat(chunks));
    return forEachFile(run, (path) =>
      run.files.write(path, Buffer.concat(chunks)) ? undefined : "Read-only file system",
    );
  },
  true: () => 0,
};

async function cat(run: FakeRun): Promise<number> {
  if (run.argv.length === 1) {
    await pipeline(run.input, run.output, { end: false });
    return 0;
  }
  return forEachFile(run, (path) => {
    const content = run.files.read(path);
    if (content === undefined) return "No such file or directory";
    run.output.write(content);
    return undefined;
  });
}

function ls(run: FakeRun): number {
  const [directory = "."] = run.argv.slice(1).filter((word) => !word.startsWith("-"));
  const all = run.argv.includes("-A");
  const names = run.files.list(directory);
  if (names === undefined) return fail(run.errors, `ls: ${directory}: No such file or directory`);
  const shown = names.filter((name) => all || !name.startsWith("."));
  return shown.length === 0 ? 0 : say(run.output, shown.join("\n"));
}

async function getent({ argv, lookUp, output, errors }: FakeRun): Promise<number> {
  const [, table, name] = argv;
  if (table !== "hosts" || name === undefined) return fail(errors, "getent: only `hosts NAME`");
  const address = await lookUp(name);
  return address === undefined ? 2 : say(output, `${address} ${name}`);
}

/** Status 1 when `act` finds something wrong with any of the paths. */
function forEachFile(run: FakeRun, act: (path: string) => string | undefined): number {
  const [program, ...paths] = run.argv;
  const problems = paths
    .filter((path) => !path.startsWith("-"))
    .flatMap((path) => {
      const problem = act(path);
      return problem === undefined ? [] : [`${program}: ${path}: ${problem}`];
    });
  return problems.length === 0 ? 0 : fail(run.errors, problems.join("\n"));
}

function say(output: FakeRun["output"], line: string): number {
  output.write(`${line}\n`);
  return 0;
}

function fail(errors: FakeRun["errors"], line: string): number {
  errors.write(`${line}\n`);
  return 1;
}
