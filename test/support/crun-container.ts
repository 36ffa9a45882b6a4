import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runProcess, spawnProcess, type ChildProcess } from "../../src/platform/process.ts";
import { ProcessLauncher } from "../../src/platform/process-launcher.ts";
import type { ExecTarget } from "../../src/sandbox/providers/local/process/exec-target.ts";
import { CRUN as CRUN_RUNTIME } from "../../src/sandbox/providers/local/runtimes/crun.ts";
import { SeccompProgram } from "../../src/sandbox/providers/local/system-calls/seccomp-program.ts";
import { allOf, program, requirement } from "./requirement.ts";

export const CRUN = allOf(
  program("crun"),
  program("unshare"),
  requirement("namespaces", () =>
    process.platform === "linux" ? undefined : "only Linux has them",
  ),
);

const SUBORDINATE_ID = 231072;

/** One container made by hand, in namespaces of its own as the local provider lays them out. */
export interface CrunContainer {
  readonly target: ExecTarget;
  readonly directory: string;
  /** Host path of a directory that the processes inside see as /shared. */
  readonly shared: string;
  close(): Promise<void>;
}

export async function openCrunContainer(
  seccomp: SeccompProgram = new SeccompProgram(),
): Promise<CrunContainer> {
  const directory = mkdtempSync(join(tmpdir(), "cg-crun-"));
  chmodSync(directory, 0o711);
  const isRoot = process.getuid?.() === 0;
  const holder = await startHolder(isRoot);
  const enter = [
    "nsenter",
    ...(isRoot ? [] : ["--preserve-credentials"]),
    `--target=${holder.init}`,
    ...(isRoot ? [] : ["--user"]),
    "--mount",
    "--pid",
    "--wd=/",
    "--",
  ];
  writeBundle(directory, specify(directory, { isRoot, seccomp }));
  const stateRoot = join(directory, "state");
  const started = await runDetached([
    ...enter,
    "crun",
    `--root=${stateRoot}`,
    "--cgroup-manager=disabled",
    "run",
    "--no-new-keyring",
    "--detach",
    `--bundle=${join(directory, "bundle")}`,
    "box",
  ]);
  if (started !== "") {
    await stop(holder.child);
    throw new TypeError(`crun did not start the container: ${started}`);
  }
  const scratchDirectory = join(directory, "scratch");
  mkdirSync(scratchDirectory, { mode: 0o700 });
  return {
    directory,
    shared: join(directory, "shared"),
    target: {
      launcher: new ProcessLauncher(),
      enter,
      program: "crun",
      runtime: CRUN_RUNTIME,
      stateRoot,
      containerId: "box",
      scratchDirectory,
      cwd: "/home/agent",
      process: {
        user: { uid: 1000, gid: 1000 },
        cwd: "/home/agent",
        env: ["PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/home/agent", "TERM=xterm"],
        capabilities: Object.fromEntries(
          ["bounding", "effective", "inheritable", "permitted", "ambient"].map((set) => [set, []]),
        ),
        rlimits: [],
        noNewPrivileges: true,
        oomScoreAdj: 0,
      },
    },
    async close() {
      await stop(holder.child);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

interface Holder {
  child: ChildProcess;
  init: number;
}

async function startHolder(isRoot: boolean): Promise<Holder> {
  const script =
    "mount -t tmpfs none /sys/fs/cgroup && echo ready && exec env --ignore-signal=CHLD cat";
  const flags = isRoot ? "-nmpf" : "-Urnmpf";
  const argv = ["unshare", flags, "--mount-proc", "--kill-child", "--", "sh", "-c", script];
  const child = spawnProcess(argv, { stdio: ["pipe", "pipe", "ignore"], detached: true });
  const [ready] = (await once(child.stdout!, "data")) as [Buffer];
  if (!ready.toString().startsWith("ready")) throw new TypeError("the holder did not start");
  const children = await runProcess(["cat", `/proc/${child.pid}/task/${child.pid}/children`]);
  return { child, init: Number(children.stdout.trim()) };
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.stdin!.end();
  child.kill("SIGKILL");
  await once(child, "exit");
}

/**
 * The container's first process keeps the descriptors it is given, so it gets none of ours. The runtime makes its user
 * their owner, so the input is the pipe of this one process and not /dev/null.
 */
async function runDetached(argv: readonly string[]): Promise<string> {
  const log = mkdtempSync(join(tmpdir(), "cg-log-"));
  const [program, ...rest] = argv;
  const quoted = ["sh", "-c", `exec "$@" >${log}/out 2>&1`, "sh", program!, ...rest];
  const { code } = await runProcess(quoted);
  const text = await runProcess(["cat", `${log}/out`]);
  rmSync(log, { recursive: true });
  return code === 0 ? "" : `exit ${code}: ${text.stdout}`;
}

function writeBundle(directory: string, configuration: object): void {
  const bundle = join(directory, "bundle");
  const root = join(bundle, "root");
  for (const path of ["", "usr", "etc", "proc", "dev", "tmp", "home", "shared"]) {
    mkdirSync(join(root, path), { recursive: true });
  }
  mkdirSync(join(directory, "shared"));
  chmodSync(join(directory, "shared"), 0o777);
  for (const name of ["bin", "sbin", "lib", "lib64", "lib32"]) {
    if (!existsSync(`/${name}`)) continue;
    const link = lstatSync(`/${name}`).isSymbolicLink() ? readlinkSync(`/${name}`) : `/${name}`;
    symlinkSync(link, join(root, name));
  }
  writeFileSync(join(root, "etc/passwd"), "agent:x:1000:1000::/home/agent:/bin/bash\n");
  writeFileSync(join(root, "etc/group"), "agent:x:1000:\n");
  writeFileSync(join(bundle, "config.json"), JSON.stringify(configuration));
}

interface Choices {
  isRoot: boolean;
  seccomp: SeccompProgram;
}

function specify(directory: string, { isRoot, seccomp }: Choices): object {
  const filter = seccomp.configuration();
  const map = isRoot
    ? { containerID: 0, hostID: SUBORDINATE_ID, size: 65536 }
    : { containerID: 1000, hostID: 0, size: 1 };
  const memory = (destination: string, mode: string): object => ({
    destination,
    type: "tmpfs",
    source: "tmpfs",
    options: ["nosuid", "nodev", `mode=${mode}`],
  });
  return {
    ociVersion: "1.0.2",
    process: {
      terminal: false,
      user: { uid: 1000, gid: 1000 },
      args: ["env", "--ignore-signal=CHLD", "sleep", "infinity"],
      env: ["PATH=/usr/bin:/bin"],
      cwd: "/",
      noNewPrivileges: true,
    },
    root: { path: "root", readonly: false },
    hostname: "box",
    mounts: [
      { destination: "/proc", type: "proc", source: "proc" },
      memory("/dev", "755"),
      {
        destination: "/dev/pts",
        type: "devpts",
        source: "devpts",
        options: ["newinstance", "ptmxmode=0666", "mode=0620"],
      },
      { destination: "/usr", type: "none", source: "/usr", options: ["rbind", "ro"] },
      memory("/tmp", "1777"),
      memory("/home", "1777"),
      memory("/home/agent", "1777"),
      {
        destination: "/shared",
        type: "none",
        source: join(directory, "shared"),
        options: ["bind"],
      },
    ],
    linux: {
      uidMappings: [map],
      gidMappings: [map],
      namespaces: [
        { type: "pid" },
        { type: "mount" },
        { type: "ipc" },
        { type: "uts" },
        { type: "user" },
        { type: "network" },
      ],
      seccomp: filter.seccomp,
    },
    annotations: filter.annotations,
  };
}
