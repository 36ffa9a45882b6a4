import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ensureDaemon, findDaemon } from "../../src/platform/daemon-start.ts";
import { resolvePaths, type Paths } from "../../src/platform/paths.ts";
import { removeState } from "../../src/platform/state-removal.ts";
import { ApiClient } from "../support/api-client.ts";
import { allOf, program, root as asRoot } from "../support/requirement.ts";
import { TerminalClient } from "../support/terminal-client.ts";

const canIsolate = allOf(program("crun"), program("unshare"));
const uid = process.getuid!();
let directory = "";
let workspace = "";
let environment: Record<string, string>;
let paths: Paths;
let api: ApiClient;

beforeEach(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), "cg-life-")));
  workspace = join(directory, "a b,c:d");
  mkdirSync(workspace);
  environment = {
    PATH: process.env["PATH"]!,
    HOME: directory,
    CATTLEGRID_HOME: join(directory, "state"),
  };
  paths = resolvePaths({ environment, uid, homeDirectory: directory });
});
afterEach(async () => {
  if (await findDaemon(paths, uid)) await api.call("/v1/shutdown", { method: "POST" });
  while (await findDaemon(paths, uid)) await delay(20);
  await removeState(paths);
  rmSync(directory, { recursive: true, force: true });
});

async function ensure(): Promise<number> {
  const signal = new AbortController().signal;
  for (;;) {
    api = new ApiClient(await ensureDaemon({ paths, uid, environment, signal }));
    try {
      return Number((await api.call("/v1/version")).body["pid"]);
    } catch (error) {
      const code = String((error as NodeJS.ErrnoException).code);
      if (!["ECONNRESET", "ECONNREFUSED", "ENOENT", "EPIPE"].includes(code)) throw error;
    }
  }
}

async function run(script: string): Promise<TerminalClient> {
  const body = { argv: ["sh", "-c", script] };
  const answer = await api.call("/v1/sandboxes/box/exec", { body });
  expect(answer).toMatchObject({ status: 201 });
  return TerminalClient.open(api.socket, `/v1/terminals/${String(answer.body["terminalId"])}`);
}

async function output(script: string): Promise<string> {
  const client = await run(script);
  await client.closed;
  return client.text() + Buffer.concat(client.errors).toString();
}

/** Command lines of every process of the machine, zombies left out. */
function commandLines(): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && existsSync(`/proc/${name}/cmdline`))
    .map((name) => {
      try {
        return readFileSync(`/proc/${name}/cmdline`, "utf8");
      } catch (error) {
        if (["ENOENT", "ESRCH"].includes(String((error as NodeJS.ErrnoException).code))) return "";
        throw error;
      }
    });
}

test.skipIf(!canIsolate.met)(
  canIsolate.title("a killed daemon leaves nothing running, and the next one keeps home and files"),
  async () => {
    const pid = await ensure();
    await api.call("/v1/sandboxes", { body: { agent: "shell", name: "box", workspace } });
    const started = await api.call("/v1/sandboxes/box/start", { body: {} });
    expect(started).toMatchObject({ status: 200 });
    expect(await output("id -u; pwd")).toBe(`1000\n${workspace}\n`);
    const mark = `${10_000_000 + process.pid}`;
    const client = await run(`echo kept >~/note; echo seen >made; echo ready; exec sleep ${mark}`);
    await expect.poll(() => client.text()).toBe("ready\n");
    expect(commandLines().some((line) => line.includes(mark))).toBe(true);

    process.kill(pid, "SIGKILL");
    await client.closed;
    expect(await ensure()).not.toBe(pid);
    const { body } = await api.call("/v1/sandboxes/box");
    expect(body).toMatchObject({ status: "stopped", statusReason: "the daemon restarted" });
    await expect.poll(() => commandLines().some((line) => line.includes(mark))).toBe(false);

    await api.call("/v1/sandboxes/box/start", { body: {} });
    expect(await output("cat ~/note made")).toBe("kept\nseen\n");
    expect(statSync(join(workspace, "made")).uid).toBe(uid);
  },
);

test.skipIf(!canIsolate.met)(
  canIsolate.title("reset leaves no byte and no process, with a sandbox running"),
  async () => {
    const pid = await ensure();
    await api.call("/v1/sandboxes", { body: { agent: "shell", name: "box", workspace } });
    await api.call("/v1/sandboxes/box/start", { body: {} });
    await output("mkdir -p ~/closed/deep; chmod 0 ~/closed");
    expect((await api.call("/v1/reset", { method: "POST" })).status).toBe(200);
    await expect.poll(() => existsSync(`/proc/${pid}/environ`), { timeout: 20_000 }).toBe(false);
    await removeState(paths);
    expect([existsSync(paths.stateDirectory), existsSync(paths.runtimeDirectory)]).toEqual([
      false,
      false,
    ]);
    expect(readdirSync(directory)).toEqual(["a b,c:d"]);
  },
);

test.skipIf(!asRoot().met)(
  asRoot().title("a full disk is told as such, and nothing is half made"),
  async () => {
    mkdirSync(paths.stateDirectory);
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=8m", "none", paths.stateDirectory]);
    try {
      const pid = await ensure();
      await api.call("/v1/sandboxes", { body: { agent: "shell", name: "box", workspace } });
      const start = await api.call("/v1/sandboxes/box/start", { body: {} });
      expect([start.status, start.body["code"]]).toEqual([507, "DISK_FULL"]);
      expect((await api.call("/v1/sandboxes/box")).body["status"]).toBe("stopped");
      const filler = (): void =>
        writeFileSync(join(paths.stateDirectory, "filler"), Buffer.alloc(16 * 1024 * 1024));
      expect(filler).toThrow(expect.objectContaining({ code: "ENOSPC" }));
      const codes: unknown[] = [];
      for (let n = 0; n < 40; n++) {
        const body = { agent: "shell", name: `box-${n}`, environment: { A: "x".repeat(100_000) } };
        codes.push((await api.call("/v1/sandboxes", { body })).body["code"]);
      }
      expect(codes.at(-1)).toBe("DISK_FULL");
      rmSync(join(paths.stateDirectory, "filler"));
      expect((await api.call("/v1/sandboxes/box")).status).toBe(200);
      const last = { agent: "shell", name: "after" };
      expect((await api.call("/v1/sandboxes", { body: last })).status).toBe(201);
      await api.call("/v1/shutdown", { method: "POST" });
      await expect.poll(() => existsSync(`/proc/${pid}/environ`), { timeout: 20_000 }).toBe(false);
    } finally {
      execFileSync("umount", ["--lazy", paths.stateDirectory]);
    }
  },
);
