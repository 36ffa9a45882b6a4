import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startKiroCloud } from "./cloud/cloud.ts";
import type { KiroCloud, KiroCloudOptions } from "./cloud/cloud.ts";

const missing = ["bash", "curl", "unzip"].filter(
  (name) => spawnSync("which", [name], { stdio: "ignore" }).status !== 0,
);
const WHY = missing.length > 0 ? ` [skipped: needs ${missing.join(", ")}]` : "";

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "kiro-installer-"));
});
afterAll(() => rm(root, { recursive: true, force: true }));

interface Machine {
  home: string;
  temporary: string;
  install(...words: string[]): Promise<{ exitCode: number; output: string }>;
}

/** A home of its own, and a curl that finds every host at the cloud. */
async function createMachine(cloud: KiroCloud): Promise<Machine> {
  const folder = await mkdtemp(join(root, "machine-"));
  const home = join(folder, "home");
  const temporary = join(folder, "tmp");
  const path = join(folder, "path");
  for (const name of [home, temporary, path]) await mkdir(name);
  const { stdout } = spawnSync("which", ["curl"], { encoding: "utf8" });
  const options = `--cacert '${cloud.authorityPath}' --connect-to '::${cloud.address}'`;
  await writeFile(join(path, "curl"), `#!/bin/sh\nexec ${stdout.trim()} ${options} "$@"\n`);
  await chmod(join(path, "curl"), 0o755);
  const environment = {
    HOME: home,
    TMPDIR: temporary,
    PATH: [path, process.env["PATH"] ?? ""].join(delimiter),
  };
  return {
    home,
    temporary,
    async install(...words) {
      const command = `curl -fsSL https://cli.kiro.dev/install | bash -s -- ${words.join(" ")}`;
      // A session of its own has no terminal, so the question on /dev/tty cannot wait for anybody.
      const child = spawn("setsid", ["bash", "-o", "pipefail", "-c", `{ ${command}; } 2>&1`], {
        env: environment,
        stdio: ["ignore", "pipe", "inherit"],
      });
      const chunks: Buffer[] = [];
      child.stdout.on("data", (bytes: Buffer) => chunks.push(bytes));
      const [exitCode] = (await once(child, "close")) as [number];
      return { exitCode, output: Buffer.concat(chunks).toString() };
    },
  };
}

function startCloud(options: Partial<KiroCloudOptions> = {}): Promise<KiroCloud> {
  const directory = join(root, `cloud-${Math.random().toString(36).slice(2)}`);
  return startKiroCloud({ directory, cacheDirectory: join(root, "cache"), ...options });
}

test.skipIf(missing.length > 0)(`the installer works by Kiro's own address${WHY}`, async () => {
  await using cloud = await startCloud();
  const machine = await createMachine(cloud);
  const { exitCode, output } = await machine.install();
  expect(exitCode).toBe(0);
  expect(output).toContain(
    "Kiro CLI installer:\nDownloading package...\n✓ Downloaded and extracted",
  );
  expect(output).toContain("simulator");
  expect(await readdir(join(machine.home, ".local/bin"))).toEqual([
    "kiro-cli",
    "kiro-cli-chat",
    "kiro-cli-term",
    "q",
    "qchat",
  ]);
  expect(await readdir(machine.temporary)).toEqual([]);
  expect(cloud.requests).toEqual([
    "cli.kiro.dev GET /install",
    "prod.download.cli.kiro.dev GET /stable/latest/manifest.json",
    expect.stringMatching(/^prod\.download\.cli\.kiro\.dev GET \/stable\/latest\/kirocli-.*\.zip$/),
  ]);

  const kiro = join(machine.home, ".local/bin/kiro-cli");
  const environment = { HOME: machine.home, PATH: "/usr/bin:/bin" };
  const { stdout } = spawnSync(kiro, ["--version"], { env: environment, encoding: "utf8" });
  expect(stdout).toBe("kiro-cli 2.21.2\n");

  const again = await machine.install();
  expect(again.exitCode).toBe(1);
  expect(again.output).toContain("already installed");
  expect(await machine.install("--force")).toMatchObject({ exitCode: 0 });
});

test.skipIf(missing.length > 0)(
  `the package carries a version and a profile of choice${WHY}`,
  async () => {
    await using cloud = await startCloud({
      version: "2.18.0",
      profile: { FAKE_KIRO_NO_CREDENTIALS: "refuse" },
    });
    const machine = await createMachine(cloud);
    await machine.install();
    const kiro = join(machine.home, ".local/bin/kiro-cli");
    const run = (...words: string[]): { stdout: string; stderr: string } =>
      spawnSync(kiro, words, {
        env: { HOME: machine.home, PATH: "/usr/bin:/bin" },
        encoding: "utf8",
      });
    expect(run("--version").stdout).toBe("kiro-cli 2.18.0\n");
    expect(run("chat", "--no-interactive", "hello").stderr).toContain("You are not logged in");
  },
);

test.skipIf(missing.length > 0).for([
  ["checksum", "the manifest says"],
  ["unavailable", "the manifest could not be downloaded"],
] as const)(`a %s fault installs nothing and cleans up${WHY}`, async ([fault, message]) => {
  await using cloud = await startCloud({ installerFault: fault });
  const machine = await createMachine(cloud);
  const { exitCode, output } = await machine.install();
  expect(exitCode).toBe(1);
  expect(output).toContain(message);
  expect(output).toContain("❌ Installation failed. Cleaning up...\n");
  expect(await readdir(machine.temporary)).toEqual([]);
  await expect(stat(join(machine.home, ".local"))).rejects.toThrow("ENOENT");
});

test.skipIf(missing.length > 0)(
  `the exit status may be wrong although the installation worked${WHY}`,
  async () => {
    await using cloud = await startCloud({ installerFault: "exit-status" });
    const machine = await createMachine(cloud);
    expect((await machine.install()).exitCode).toBe(1);
    await stat(join(machine.home, ".local/bin/kiro-cli"));
  },
);
