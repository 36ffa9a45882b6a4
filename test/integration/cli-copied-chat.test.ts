import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import type { Sandbox } from "../../src/protocol/sandbox.ts";
import { removeTree } from "../../src/platform/tree-removal.ts";
import { collect, CommandLine } from "../support/command-line.ts";
import { allOf, program } from "../support/requirement.ts";

const needs = allOf(program("crun"), program("git"));
const PATIENCE = { timeout: 60_000, interval: 100 };
const DAEMON = join(import.meta.dirname, "../support/copying-daemon.ts");

describe.skipIf(!needs.met)(needs.title("a chat whose sandbox has a copy of the workspace"), () => {
  let cli: CommandLine;
  let daemon: ChildProcess;
  beforeAll(async () => {
    cli = new CommandLine();
    daemon = await openDaemon(cli);
  });
  afterAll(async () => {
    await cli.close();
    daemon.kill("SIGKILL");
  });
  beforeEach(() => {
    for (const name of readdirSync(cli.workspace)) rmSync(join(cli.workspace, name));
    writeFileSync(join(cli.workspace, "f"), "old\n");
  });

  const list = async (): Promise<readonly Sandbox[]> => {
    const { stdout } = await cli.run(["ls", "--json"]);
    return (JSON.parse(stdout) as { sandboxes: readonly Sandbox[] }).sandboxes;
  };
  /** The directories that the provider keeps for its sandboxes. */
  const kept = (): readonly string[] => {
    const path = join(cli.paths.providerDirectory("copied"), "copied");
    return existsSync(path) ? readdirSync(path) : [];
  };
  const chat = (prompt: string): ChildProcess =>
    cli.spawn(["chat", "scribe", "--prompt", prompt], {});
  /** Takes the changes of the one sandbox whose record is left, and removes it. */
  const takeSaved = async (): Promise<string> => {
    const { name } = await vi.waitFor(async () => {
      const [saved] = await list();
      expect(saved).toMatchObject({ ephemeral: false, status: "stopped" });
      return saved as Sandbox;
    }, PATIENCE);
    expect(kept()).toEqual([]);
    expect(readFileSync(join(cli.workspace, "f"), "utf8")).toBe("old\n");
    const { stdout } = await cli.run(["apply", name]);
    expect((await cli.run(["rm", name])).code).toBe(0);
    return stdout;
  };

  test("lists what was changed, saves it and deletes the sandbox; `apply` takes it afterwards", async () => {
    const { code, stderr } = await collect(chat("echo new >f; echo n >n; mkdir -p d; rm -rf d"));
    expect(code).toBe(0);
    expect(stderr).toMatch(/these changes of \S+ are not in your files:\n[^]*2 paths changed/);
    expect(stderr).toContain("they are saved when the sandbox goes");
    expect(await takeSaved()).toBe("modified f\nadded n\n");
    expect(readFileSync(join(cli.workspace, "f"), "utf8")).toBe("new\n");
  });

  test("leaves nothing when nothing was changed", async () => {
    expect((await collect(chat("cat f"))).code).toBe(0);
    expect([await list(), kept()]).toEqual([[], []]);
  });

  test.each(["SIGINT", "SIGTERM", "SIGHUP", "SIGKILL"] as const)(
    "ended by %s while a turn runs, what was changed is saved",
    async (signal) => {
      const running = chat("echo new >f; echo ready; sleep 600");
      const ended = collect(running);
      await once(running.stdout ?? running, "data");
      running.kill(signal);
      await ended;
      expect(await takeSaved()).toBe("modified f\n");
    },
  );

  test("what a turn changed is there though the sandbox is lost with all its files right after it", async () => {
    const prompts = ["--name", "worker", "--prompt", "echo new >f"];
    expect((await collect(cli.spawn(["chat", "scribe", ...prompts]))).code).toBe(0);
    const [{ id }] = (await list()) as [Sandbox];
    const record = join(cli.paths.stateDirectory, "copies", id, "fetched.json");
    await vi.waitFor(() => expect(readFileSync(record, "utf8")).toContain('"f"'), PATIENCE);
    const gone = once(daemon, "exit");
    daemon.kill("SIGKILL");
    await gone;
    await removeTree(join(cli.paths.providerDirectory("copied"), "copied", id));
    daemon = await openDaemon(cli);
    const { stdout, stderr } = await cli.run(["diff", "worker"]);
    expect(stdout).toContain("-old\n+new\n");
    expect(stderr).toContain("ended before everything changed in it was brought out");
    expect((await cli.run(["apply", "worker"])).stdout).toBe("modified f\n");
    expect((await cli.run(["rm", "--force", "worker"])).code).toBe(0);
  });

  test("so is it when the daemon is killed as well: the next one brings it out", async () => {
    const running = chat("echo new >f; echo ready; sleep 600");
    const ended = collect(running);
    await once(running.stdout ?? running, "data");
    const gone = once(daemon, "exit");
    // Alive, the command line would start the product's own daemon.
    for (const each of [daemon, running]) each.kill("SIGKILL");
    await Promise.all([gone, ended]);
    daemon = await openDaemon(cli);
    expect(await takeSaved()).toBe("modified f\n");
  });
});

async function openDaemon({ environment }: CommandLine): Promise<ChildProcess> {
  const daemon = spawn(process.execPath, [DAEMON], {
    env: environment,
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(daemon.stdout, "data");
  return daemon;
}
