import { existsSync, mkdtempSync, readdirSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ApiClient } from "../../test/support/api-client.ts";
import { openTestDaemon } from "../../test/support/test-daemon.ts";
import { findDaemon } from "../platform/daemon-start.ts";
import { resolvePaths, type Paths } from "../platform/paths.ts";
import { removeState } from "../platform/state-removal.ts";
import type { Daemon } from "./daemon.ts";

const uid = process.getuid!();
let root = "";
let paths: Paths;
const open: Daemon[] = [];

beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), "cg-daemon-")));
  const environment = { CATTLEGRID_HOME: join(root, "state"), XDG_RUNTIME_DIR: root };
  paths = resolvePaths({ environment, uid, homeDirectory: join(root, "home") });
});
afterEach(async () => {
  for (const daemon of open.splice(0)) await daemon.close();
  rmSync(root, { recursive: true, force: true });
});

async function start(idleMs = Infinity): Promise<Daemon> {
  const daemon = await openTestDaemon({ paths, uid, idleMs });
  open.push(daemon);
  return daemon;
}
const api = (): ApiClient => new ApiClient(paths.socketFile);
const make = async (body: object = {}): Promise<string> => {
  const answer = await api().call("/v1/sandboxes", { body: { agent: "shell", ...body } });
  return `/v1/sandboxes/${String(answer.body["id"])}`;
};

describe("a daemon", () => {
  test("is found while it runs, by clients with another runtime directory too, and not after", async () => {
    const daemon = await start();
    expect(await findDaemon(paths, uid)).toBe(paths.socketFile);
    const elsewhere = { ...paths, socketFile: join(root, "cattlegrid/other.sock") };
    expect(await findDaemon(elsewhere, uid)).toBe(paths.socketFile);
    await daemon.close();
    expect(await findDaemon(paths, uid)).toBeUndefined();
    expect(readdirSync(paths.runtimeDirectory)).toEqual([]);
    expect(existsSync(paths.daemonFile)).toBe(false);
  });

  test("is alone with its state", async () => {
    await start();
    await expect(start()).rejects.toMatchObject({ code: "STATE_LOCKED" });
    expect((await api().call("/v1/version")).status).toBe(200);
  });

  test("goes when told to, and its sandboxes stop with it", async () => {
    const daemon = await start();
    const path = await make();
    await api().call(`${path}/start`, { method: "POST" });
    await api().call("/v1/shutdown", { method: "POST" });
    await daemon.closed;
    await start();
    expect((await api().call(path)).body["status"]).toBe("stopped");
  });

  test("goes when idle, but not while a sandbox runs or somebody is connected", async () => {
    const daemon = await start(60);
    const path = await make();
    await api().call(`${path}/start`, { method: "POST" });
    const { promise: aWhile, resolve } = Promise.withResolvers<string>();
    setTimeout(() => resolve("still there"), 300);
    expect(await Promise.race([daemon.closed, aWhile])).toBe("still there");
    await api().call(`${path}/stop`, { method: "POST" });
    await daemon.closed;
    expect(existsSync(paths.socketFile)).toBe(false);
  });

  test("resets: no sandbox and no home is left", async () => {
    const daemon = await start();
    const path = await make();
    await make({ name: "second" });
    await api().call(`${path}/start`, { method: "POST" });
    expect((await api().call("/v1/reset", { method: "POST" })).status).toBe(200);
    expect(readdirSync(join(paths.providerDirectory("process"), "homes"))).toEqual([]);
    await api()
      .call("/v1/shutdown", { method: "POST" })
      .catch(() => "it is going already");
    await daemon.closed;
    await removeState(paths);
    expect([existsSync(paths.stateDirectory), existsSync(paths.runtimeDirectory)]).toEqual([
      false,
      false,
    ]);
  });

  test("that would go the moment it listens goes in good order", async () => {
    const daemon = await start(1);
    await daemon.closed;
    expect(readdirSync(paths.runtimeDirectory)).toEqual([]);
  });
});
