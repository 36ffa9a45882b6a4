import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ApiClient } from "../../test/support/api-client.ts";
import { ensureDaemon, findDaemon } from "../platform/daemon-start.ts";
import { resolvePaths, type Paths } from "../platform/paths.ts";

const uid = process.getuid!();
const ENTRY = fileURLToPath(new URL("main.ts", import.meta.url));
let root = "";
let paths: Paths;
let environment: Record<string, string>;
const pids = new Set<number>();

beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), "cg-main-")));
  environment = {
    PATH: process.env["PATH"]!,
    HOME: root,
    CATTLEGRID_HOME: join(root, "state"),
    XDG_RUNTIME_DIR: root,
  };
  paths = resolvePaths({ environment, uid, homeDirectory: root });
});
afterEach(async () => {
  for (const pid of pids) if (isAlive(pid)) process.kill(pid, "SIGKILL");
  for (const pid of pids) await goneAfter(pid);
  pids.clear();
  rmSync(root, { recursive: true, force: true });
});

function isAlive(pid: number): boolean {
  const stat = existsSync(`/proc/${pid}/stat`) ? readFileSync(`/proc/${pid}/stat`, "utf8") : "";
  return stat !== "" && !/\) [ZX] /.test(stat);
}
async function goneAfter(pid: number): Promise<void> {
  await expect.poll(() => isAlive(pid), { timeout: 10_000 }).toBe(false);
}

/** As clients do: a request that meets a daemon that was just going is made again. */
async function ensure(more: Record<string, string> = {}): Promise<number> {
  const signal = new AbortController().signal;
  const options = { paths, uid, environment: { ...environment, ...more }, signal };
  for (;;) {
    const socket = await ensureDaemon(options);
    try {
      const { body } = await new ApiClient(socket).call("/v1/version");
      pids.add(Number(body["pid"]));
      return Number(body["pid"]);
    } catch (error) {
      const code = String((error as NodeJS.ErrnoException).code);
      if (!["ECONNRESET", "ECONNREFUSED", "ENOENT", "EPIPE"].includes(code)) throw error;
    }
  }
}
const api = (): ApiClient => new ApiClient(paths.socketFile);

describe("the first command", () => {
  test("starts the daemon, and those after it find it", async () => {
    const pid = await ensure();
    expect(await ensure()).toBe(pid);
    expect(await findDaemon(paths, uid)).toBe(paths.socketFile);
  });

  test("starts one daemon however many come first at once", async () => {
    const found = await Promise.all([ensure(), ensure(), ensure(), ensure()]);
    expect(new Set(found).size).toBe(1);
  });

  test("leaves a daemon that holds none of its pipes, terminals, secrets or directories", async () => {
    const pid = await ensure({ AGENT_KEY: "hunter2", AWS_SECRET_ACCESS_KEY: "hunter2" });
    expect(readFileSync(`/proc/${pid}/environ`, "utf8")).not.toContain("hunter2");
    expect([0, 1, 2].map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`))).toEqual([
      "/dev/null",
      "/dev/null",
      "/dev/null",
    ]);
    expect(readlinkSync(`/proc/${pid}/cwd`)).toBe("/");
    const session = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ")[3];
    expect(session).toBe(String(pid));
  });

  test("in a pipeline lets the pipeline end", async () => {
    const start = new URL("../platform/daemon-start.ts", import.meta.url).href;
    const script = `
      import { ensureDaemon } from ${JSON.stringify(start)};
      const signal = new AbortController().signal;
      const paths = JSON.parse(process.argv[1]);
      await ensureDaemon({ paths, uid: ${uid}, environment: process.env, signal });
      console.log("done");`;
    const argv = ["--input-type=module", "-e", script, JSON.stringify(paths)];
    const client = spawn(process.execPath, argv, { env: environment });
    client.stdout.resume();
    client.stderr.resume();
    // `close` comes only when every holder of the pipes is gone.
    const [code] = (await once(client, "close")) as [number];
    expect(code).toBe(0);
    await ensure();
  });
});

describe("a start that fails is told with code and hint", () => {
  const refused = async (code: string): Promise<void> => {
    await expect(ensure()).rejects.toMatchObject({ code, hint: expect.stringMatching(/.{10}/) });
  };

  test("for a directory that is not ours, which stays as it was", async () => {
    mkdirSync(paths.stateDirectory);
    writeFileSync(join(paths.stateDirectory, "thesis.txt"), "");
    await refused("STATE_NOT_OURS");
    expect(existsSync(paths.logFile)).toBe(false);
  });

  test("for the state of a newer program, and for a damaged one", async () => {
    process.kill(await ensure(), "SIGTERM");
    for (const pid of pids) await goneAfter(pid);
    const database = new DatabaseSync(paths.databaseFile);
    database.exec("PRAGMA user_version = 99");
    database.close();
    await refused("STATE_TOO_NEW");
    writeFileSync(paths.databaseFile, "no database".repeat(1000));
    await refused("STATE_CORRUPT");
  });

  test("for a runtime directory that others can enter", async () => {
    mkdirSync(paths.runtimeDirectory, { recursive: true });
    chmodSync(dirname(paths.runtimeDirectory), 0o755);
    await refused("RUNTIME_DIRECTORY_UNSAFE");
  });

  test("in the foreground, on stderr with exit 125, while another daemon has the state", async () => {
    await ensure();
    const second = spawn(process.execPath, [ENTRY, "--foreground"], { env: environment });
    let text = "";
    second.stderr.on("data", (chunk: Buffer) => (text += chunk.toString()));
    const [code] = (await once(second, "close")) as [number];
    expect([code, text]).toEqual([125, expect.stringContaining("[STATE_LOCKED]")]);
    expect((await api().call("/v1/version")).status).toBe(200);
  });
});

describe("a daemon", () => {
  test("ends in good order on SIGTERM, and ignores SIGHUP", async () => {
    const pid = await ensure();
    process.kill(pid, "SIGHUP");
    expect(await ensure()).toBe(pid);
    process.kill(pid, "SIGTERM");
    await goneAfter(pid);
    expect([existsSync(paths.socketFile), existsSync(paths.daemonFile)]).toEqual([false, false]);
  });

  test("goes by itself when nobody needs it", async () => {
    const pid = await ensure({ CATTLEGRID_IDLE_MS: "100" });
    await goneAfter(pid);
    expect(await findDaemon(paths, uid)).toBeUndefined();
    expect(await ensure()).not.toBe(pid);
  });

  test("that was killed is replaced, and what it knew is still known", async () => {
    const pid = await ensure();
    const body = { agent: "shell", name: "lasting" };
    await api().call("/v1/sandboxes", { body });
    await api().call("/v1/sandboxes", {
      body: { agent: "shell", name: "fleeting", ephemeral: true },
    });
    process.kill(pid, "SIGKILL");
    await goneAfter(pid);
    expect(await ensure()).not.toBe(pid);
    await expect
      .poll(async () => {
        const { sandboxes } = (await api().call("/v1/sandboxes")).body as {
          sandboxes: { name: string; status: string }[];
        };
        return sandboxes.map(({ name, status }) => [name, status]);
      })
      .toEqual([["lasting", "created"]]);
  });
});
