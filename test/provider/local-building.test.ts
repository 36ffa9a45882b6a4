/** Templates built for real: layers under overlays, a policy in force, and what is left when a build is cut off. */
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { runProcess, spawnProcess } from "../../src/platform/process.ts";
import type { Engine } from "../../src/session/engine.ts";
import { buildTemplate, openBuildingEngine, writeTemplate } from "../support/building-engine.ts";
import { commandOf, keeperOf, membersOf } from "../support/process-table.ts";
import { allOf, program, root as asRoot } from "../support/requirement.ts";

const RUNTIME = allOf(program("crun"), program("unshare"));
const CUT_OFF = join(import.meta.dirname, "../support/cut-off-build.ts");
const OWNER = "local:7";
const NEVER = new AbortController().signal;

describe.skipIf(!RUNTIME.met)(RUNTIME.title("building templates in local sandboxes"), () => {
  let root: string;
  let engine: Engine;
  beforeEach(async () => {
    root = realpathSync(mkdtempSync(join(tmpdir(), "cg-build-")));
    engine = await openBuildingEngine(root);
  });
  afterEach(async () => {
    await engine.close();
    rmSync(root, { recursive: true, force: true });
  });

  const inProvider = (name: string): readonly string[] =>
    readdirSync(join(root, "state/providers/local", name)).toSorted();

  function template(name: string, setup: string): void {
    writeTemplate(root, name, `version: 1\nagent: shell\n${setup}`);
  }

  /** Makes a sandbox from a template and gives back what a script says in it. */
  async function sayIn(name: string, template: string, script: string): Promise<string> {
    const wish = { name, template: { name: template }, workspace: null };
    const { sandbox } = await engine.sandboxes.create(OWNER, wish);
    await engine.sandboxes.start(sandbox.id, {}, { signal: NEVER });
    const running = await engine.sandboxes.running(sandbox.id);
    const started = await running.exec({ argv: ["sh", "-c", script] }, NEVER);
    started.input.end();
    started.errors?.resume();
    const chunks = await Array.fromAsync(started.output as AsyncIterable<Buffer>);
    return Buffer.concat(chunks).toString().trim();
  }

  test("gives each sandbox what the steps wrote, and its own copy to write to", async () => {
    template(
      "golden",
      `setup:
  - run: mkdir -p work && echo one > work/one && ln -s one work/link
  - run: echo two >> work/one && rm work/link && echo kept > .profile-of-team
`,
    );
    const layers = await buildTemplate(engine, "golden");
    expect(layers.length).toBe(2);
    const look = "cat work/one .profile-of-team; ls work; stat -c %U work/one";
    const expected = "one\ntwo\nkept\none\nagent";
    expect(await sayIn("first", "golden", `${look}; rm -r work; ls`)).toBe(expected);
    expect(await sayIn("second", "golden", look)).toBe(expected);
    expect(inProvider("layers")).toEqual(layers.toSorted());
  });

  test("runs setup when a sandbox is the first to need it, once for two at the same time", async () => {
    template("golden", "setup:\n  - run: date +%s%N > when\n");
    const [one, two] = await Promise.all(
      ["first", "second"].map((name) => sayIn(name, "golden", "cat when")),
    );
    expect(one).toMatch(/^\d+$/);
    expect(two).toBe(one);
    expect(inProvider("layers").length).toBe(1);
  });

  test("runs under the template's policy alone, and names what that refused", async () => {
    template(
      "golden",
      "policy: { preset: locked }\nsetup:\n  - run: curl -sS https://forbidden.example/\n",
    );
    await expect(buildTemplate(engine, "golden")).rejects.toMatchObject({
      code: "TEMPLATE_BUILD_FAILED",
      hint: expect.stringContaining("forbidden.example"),
    });
  });

  test("counts a template that is edited while it builds as it was when the build began", async () => {
    template("golden", "setup:\n  - run: echo begun; echo before > which\n");
    const edit = (): void => template("golden", "setup:\n  - run: echo after > which\n");
    await buildTemplate(engine, "golden", { onOutput: edit });
    expect(await sayIn("made", "golden", "cat which")).toBe("after");
    expect(inProvider("layers").length).toBe(2);
  });

  test("killed half-way leaves nothing half made, and the next build is whole", async () => {
    template(
      "golden",
      "setup:\n  - run: echo one > one\n  - run: echo half > half; echo reached; sleep 1000\n",
    );
    await engine.close();
    const child = spawnProcess([process.execPath, CUT_OFF, root, "golden"], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let said = "";
    child.stdout?.on("data", (bytes: Buffer) => (said += String(bytes)));
    while (!said.includes("reached")) await delay(10);
    const [, keeper = -1] = keeperOf(child.pid ?? -1);
    const members = membersOf(keeper);
    expect(members.length).toBeGreaterThan(0);
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;
    while (members.some((pid) => commandOf(pid) !== "")) await delay(5);
    engine = await openBuildingEngine(root);
    await engine.sandboxes.recovered();
    expect(inProvider("sandboxes")).toEqual([]);
    expect(inProvider("trash")).toEqual([]);
    expect(inProvider("layers").length).toBe(1);
    template("golden", "setup:\n  - run: echo one > one\n  - run: echo whole > half\n");
    expect(await sayIn("made", "golden", "cat one half")).toBe("one\nwhole");
    expect(inProvider("layers").length).toBe(2);
  });
});

/** Who may mount a small disk. */
const MOUNTS = allOf(RUNTIME, asRoot());

describe.skipIf(!MOUNTS.met)(MOUNTS.title("a build on a disk that fills"), () => {
  let root: string;
  beforeEach(async () => {
    root = realpathSync(mkdtempSync(join(tmpdir(), "cg-full-")));
    mkdirSync(join(root, "disk"));
    await runProcess(["mount", "-t", "tmpfs", "-o", "size=96m", "none", join(root, "disk")]);
  });
  afterEach(async () => {
    await runProcess(["umount", join(root, "disk")]);
    rmSync(root, { recursive: true, force: true });
  });

  test("is refused, and gives back all that it took", async () => {
    const disk = join(root, "disk");
    const engine = await openBuildingEngine(disk);
    try {
      writeTemplate(
        disk,
        "huge",
        "version: 1\nagent: shell\nsetup:\n  - run: head -c 200M /dev/zero > huge\n",
      );
      await expect(buildTemplate(engine, "huge")).rejects.toMatchObject({ code: "DISK_FULL" });
      const path = join(disk, "state/providers/local");
      expect(readdirSync(join(path, "layers"))).toEqual([]);
      expect(readdirSync(join(path, "sandboxes"))).toEqual([]);
      writeTemplate(disk, "small", "version: 1\nagent: shell\nsetup:\n  - run: echo fits > f\n");
      expect(await buildTemplate(engine, "small")).toHaveLength(1);
    } finally {
      await engine.close();
    }
  });
});
