import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { spawnProcess } from "../../src/platform/process.ts";
import { MEMORY } from "../../src/sandbox/providers/local/keeper/message.ts";
import { createLocalProvider } from "../../src/sandbox/providers/local/provider.ts";
import { answer, NEVER, SandboxYard, sh } from "../../src/testing/conformance/sandbox-yard.ts";
import {
  commandOf,
  keeperOf,
  parentOf,
  processes,
  processNamespace,
} from "../support/process-table.ts";
import { allOf, program } from "../support/requirement.ts";

const RUNTIME = allOf(program("crun"), program("unshare"));
const ENGINE = join(import.meta.dirname, "local-engine.ts");

/** Every process that is in a process namespace of the keeper's or below: it has a number there. */
function descendants(keeper: number): readonly number[] {
  return processes().filter((pid) => {
    let current: number | undefined = pid;
    while (current !== undefined && current > 1 && current !== keeper) current = parentOf(current);
    return current === keeper;
  });
}

interface Mount {
  /** Of the file system: the same wherever it is mounted, and nobody else's as long as it is. */
  device: string;
  point: string;
  line: string;
}

function mountsOf(pid: number | "self"): readonly Mount[] {
  const lines = readFileSync(`/proc/${pid}/mountinfo`, "utf8").trimEnd().split("\n");
  return lines.map((line) => {
    const [, , device = "", , point = ""] = line.split(" ");
    return { device, point, line };
  });
}

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((resolve) => setImmediate(resolve));
}

describe.skipIf(!RUNTIME.met)(RUNTIME.title("death in the local provider"), () => {
  let yard: SandboxYard;
  beforeEach(() => {
    yard = new SandboxYard(createLocalProvider);
  });
  afterEach(async () => yard.close());

  test("an engine killed with SIGKILL leaves no process, and its sandboxes start again", async () => {
    const argv = [
      process.execPath,
      ENGINE,
      join(yard.directory, "state"),
      join(yard.directory, "run"),
    ];
    const engine = spawnProcess(argv, { stdio: ["ignore", "pipe", "inherit"] });
    await once(engine.stdout!, "data");
    const keeper = keeperOf(engine.pid!);
    expect(keeper).toHaveLength(2);
    const inside = descendants(keeper[1]!);
    expect(inside.length).toBeGreaterThanOrEqual(3);
    const namespaces = new Set(inside.map(processNamespace));
    engine.kill("SIGKILL");
    await once(engine, "exit");
    await until(() => !processes().some((pid) => namespaces.has(processNamespace(pid))));
    expect(inside.filter((pid) => commandOf(pid) !== "")).toEqual([]);
    const removed = await yard.provider.reap(new Set(["one"]));
    expect(readdirSync(join(yard.directory, "run"))).toEqual(["keeper-cache"]);
    expect(removed).toEqual(["two"]);
    const again = await yard.startAgain(yard.specify({ id: "one" }));
    expect(await answer(again, "cat ~/f")).toBe("one");
  });

  test("a start that meets a keeper which is dying unseen begins anew, with the next one", async () => {
    const before = await yard.start();
    for (let round = 0; round < 3; round += 1) {
      const [, keeper = 0] = keeperOf(process.pid);
      process.kill(keeper, "SIGKILL");
      // Nothing of its death can have been read yet.
      const sandbox = await yard.start();
      expect(await answer(sandbox, "echo up")).toBe("up");
      expect(keeperOf(process.pid)[1]).not.toBe(keeper);
      await sandbox.stop();
    }
    expect(await before.ended).toMatchObject({ kind: "died" });
  });

  test("a dead keeper ends every sandbox, and the next start makes a new one", async () => {
    const one = await yard.start();
    const two = await yard.start();
    await answer(one, "echo kept >~/f");
    process.kill(keeperOf(process.pid)[1]!, "SIGKILL");
    expect(await one.ended).toMatchObject({ kind: "died" });
    expect(await two.ended).toMatchObject({ kind: "died" });
    expect(keeperOf(process.pid)).toEqual([]);
    const again = await yard.startAgain(yard.specify({ id: one.id }));
    expect(await answer(again, "cat ~/f")).toBe("kept");
  });

  test("the death of a sandbox's first process is noticed, ends the sandbox and no other", async () => {
    const doomed = await yard.start();
    const other = await yard.start();
    const keeper = keeperOf(process.pid)[1]!;
    const inits = descendants(keeper).filter((pid) => commandOf(pid).includes("sleep infinity"));
    expect(inits).toHaveLength(2);
    const program = await doomed.exec({ argv: ["sleep", "300"] }, NEVER);
    process.kill(Math.min(...inits), "SIGKILL");
    expect(await doomed.ended).toMatchObject({ kind: "died" });
    expect((await program.ended).code).not.toBe(0);
    expect((await sh(other, "true")).code).toBe(0);
    const again = await yard.startAgain(yard.specify({ id: doomed.id }));
    expect((await sh(again, "true")).code).toBe(0);
  });

  test("closing the provider leaves no process and nothing in the host's mount table", async () => {
    // Others mount and unmount meanwhile: ours carry the yard's name, or the device of the keeper's memory.
    const workspace = { path: yard.makeDirectory("project"), mode: "direct" as const };
    await yard.start({ workspace });
    const [holder, keeper] = keeperOf(process.pid);
    const memory = mountsOf(keeper!).findLast(({ point }) => point === MEMORY)!;
    const ours = (): readonly Mount[] =>
      mountsOf("self").filter(
        ({ device, line }) => device === memory.device || line.includes(yard.directory),
      );
    expect(ours()).toEqual([]);
    await yard.provider.close();
    expect([holder!, keeper!].map(commandOf)).toEqual(["", ""]);
    expect(ours().filter(({ line }) => line.includes(yard.directory))).toEqual([]);
    expect(keeperOf(process.pid)).toEqual([]);
  });

  test("what programs inside made unreadable is removed with the sandbox", async () => {
    const sandbox = await yard.start();
    await answer(sandbox, "mkdir -p ~/a/b && touch ~/a/b/f && chmod 000 ~/a/b ~/a");
    await sandbox.stop();
    await yard.provider.destroy(sandbox.id);
    expect(readdirSync(join(yard.directory, "state/sandboxes"))).toEqual([]);
    expect(readdirSync(join(yard.directory, "state/trash"))).toEqual([]);
  });
});
