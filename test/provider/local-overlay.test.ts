import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { applyChanges } from "../../src/changes/apply.ts";
import type { Applied, ApplyWish } from "../../src/changes/application.ts";
import type { ChangeSource } from "../../src/changes/change-source.ts";
import { OverlayTree } from "../../src/changes/changed-tree.ts";
import { ChangeRecords } from "../../src/changes/journal.ts";
import { readChanges } from "../../src/changes/reading.ts";
import { runProcess } from "../../src/platform/process.ts";
import type { RunningSandbox, SandboxSpecification } from "../../src/sandbox/provider.ts";
import { createLocalProvider } from "../../src/sandbox/providers/local/provider.ts";
import { answer, NEVER, SandboxYard, sh } from "../../src/testing/conformance/sandbox-yard.ts";
import { EVERYTHING, readTree } from "../support/overlay-yard.ts";
import { allOf, program, root } from "../support/requirement.ts";

const asRoot = root();
const needs = allOf(program("crun"), program("unshare"), program("nsenter"));

describe.skipIf(!needs.met)(needs.title("a workspace in mode overlay"), () => {
  let yard: SandboxYard;
  beforeAll(() => {
    yard = new SandboxYard(createLocalProvider);
  });
  afterAll(async () => yard.close());

  interface Opened {
    path: string;
    sandbox: RunningSandbox;
    specification: SandboxSpecification;
    source: ChangeSource;
    apply(wish?: Partial<ApplyWish>): Promise<Applied>;
  }

  async function open(name: string, files: Record<string, string>): Promise<Opened> {
    const path = yard.makeDirectory(name);
    for (const [file, text] of Object.entries(files)) {
      mkdirSync(dirname(join(path, file)), { recursive: true });
      writeFileSync(join(path, file), text);
    }
    const specification = yard.specify({ workspace: { path, mode: "overlay" } });
    await yard.provider.create(specification, NEVER);
    const sandbox = await yard.startAgain(specification);
    const found = await yard.provider.overlays?.find(specification.id);
    if (found === undefined) throw new TypeError("no overlay");
    const records = new ChangeRecords(join(yard.directory, "changes", specification.id));
    const { upper, begunAtNs } = found;
    const openChanged = (): OverlayTree => new OverlayTree(upper);
    const source = { workspace: path, openChanged, begunAtNs, records, onCorrupt: () => undefined };
    const apply = (wish: Partial<ApplyWish> = {}): Promise<Applied> =>
      applyChanges(source, { ...EVERYTHING, ...wish }, { signal: NEVER });
    return { path, sandbox, specification, source, apply };
  }

  test("nothing reaches the host before it is applied, and then the host has what the sandbox saw", async () => {
    const { path, sandbox, apply } = await open("all kinds, of: change", {
      changed: "old\n",
      deleted: "x",
      "gone/a/b": "x",
      "remade/old": "x",
      "renamed/one": "1",
      "renamed/deep/two": "2",
      "becomes-file/x": "x",
      "becomes-directory": "x",
      mode: "x",
      kept: "kept",
    });
    const before = readTree(path);
    const inside = await answer(
      sandbox,
      `pwd
      echo new >changed; rm deleted; rm -r gone remade; mkdir remade; echo y >remade/new
      mv renamed moved; rm -r becomes-file; echo f >becomes-file
      rm becomes-directory; mkdir becomes-directory; echo d >becomes-directory/d
      chmod 755 mode; mkdir -p n/m; ln -s ../changed n/link; touch 'n/with
newline' ${"l".repeat(200)}; find . | wc -l`,
    );
    expect(inside.split("\n")[0]).toBe(path);
    expect(readTree(path)).toEqual(before);
    const { held } = await apply();
    expect(held.map((each) => each.path)).toEqual(["n/with\nnewline"]);
    const after = readTree(path);
    expect(after).toMatchObject({
      changed: "644 new\n",
      "remade/new": "644 y\n",
      "moved/deep/two": "644 2",
      "moved/one": "644 1",
      "becomes-file": "644 f\n",
      "becomes-directory/d": "644 d\n",
      mode: "755 x",
      "n/link": "link ../changed",
      kept: "644 kept",
    });
    for (const gone of ["deleted", "gone", "remade/old", "renamed", "becomes-file/x"]) {
      expect(after[gone]).toBeUndefined();
    }
    await apply({ approve: ["n/with\nnewline"] });
    const count = await answer(sandbox, "find . | wc -l");
    expect(Object.keys(readTree(path)).length + 1 + 1).toBe(Number(count));
    expect(statSync(join(path, "changed")).uid).toBe(statSync(path).uid);
  });

  test("changes outlive a stop and a start, and are dropped only when it is stopped", async () => {
    const { path, sandbox, specification, source } = await open("life", { f: "old" });
    await answer(sandbox, "echo new >f; mkdir d");
    const { overlays } = yard.provider;
    await expect(overlays?.discard(specification.id)).rejects.toMatchObject({
      code: "SANDBOX_BUSY",
    });
    await sandbox.stop();
    const again = await yard.startAgain(specification);
    expect(await answer(again, "cat f; ls -d d")).toBe("new\nd");
    await again.stop();
    await overlays?.discard(specification.id);
    expect((await readChanges(source, { hunks: false, paths: [] }, NEVER)).changes).toEqual([]);
    const third = await yard.startAgain(specification);
    expect(await answer(third, "cat f; ls")).toBe("oldf");
    expect(readFileSync(join(path, "f"), "utf8")).toBe("old");
  });

  test("the agent cannot forge what overlayfs keeps beside its files", async () => {
    const { path, sandbox, apply } = await open("forged", { "d/host": "mine" });
    const python = (code: string): string => `/usr/bin/python3 -c 'import os; ${code}'`;
    await sh(sandbox, python('os.setxattr("d", "user.overlay.opaque", b"y")'));
    await sh(sandbox, python('os.setxattr("d", "trusted.overlay.opaque", b"y")'));
    await sh(sandbox, "mknod d/host2 c 0 0; mknod w c 0 0");
    await answer(sandbox, "touch d/new");
    await apply();
    expect(readTree(path)).toMatchObject({ "d/host": "644 mine", "d/new": "644 " });
  });

  test("a link that the agent puts on the way reads nothing of the host's", async () => {
    const secret = mkdtempSync(join(yard.directory, "secret-"));
    writeFileSync(join(secret, "key"), "the host's secret");
    const { path, sandbox, source, apply } = await open("links", { "d/key": "mine" });
    await answer(sandbox, `rm -r d; ln -s '${secret}' d; ln -s '${secret}/key' file`);
    const shown = await readChanges(source, { hunks: true, paths: [] }, NEVER);
    expect(JSON.stringify(shown)).not.toContain("the host's secret");
    const { held } = await apply();
    expect(held.map((each) => each.path)).toEqual(["d", "file"]);
    expect(readTree(path)).toEqual({ d: "directory 755" });
    rmSync(secret, { recursive: true });
  });

  test("a workspace that leads out by the user's own links is never written through them", async () => {
    const outside = yard.makeDirectory("outside");
    const { path, sandbox, apply } = await open("own links", { a: "x" });
    symlinkSync(outside, join(path, "out"));
    await answer(sandbox, "rm -f out; mkdir out; echo x >out/f");
    await expect(apply()).rejects.toMatchObject({ code: "CHANGES_CONFLICT" });
    expect(readTree(outside)).toEqual({});
    await apply({ overwrite: ["out"] });
    expect(readTree(outside)).toEqual({});
    expect(readTree(path)).toMatchObject({ "out/f": "644 x\n" });
  });

  test.skipIf(!asRoot.met)(
    asRoot.title("a workspace under which no overlay can lie is refused"),
    async () => {
      const at = (name: string): string => yard.makeDirectory(`stack/${name}`);
      const mount = async (lower: string, target: string): Promise<void> => {
        const options = `lowerdir=${at(lower)},upperdir=${at(`${target}-up`)},workdir=${at(`${target}-work`)}`;
        await runProcess(["mount", "-t", "overlay", "-o", options, "overlay", at(target)]);
      };
      await runProcess(["mount", "-t", "tmpfs", "none", at(".")]);
      try {
        await mount("zero", "one");
        await mount("one", "two");
        // The keeper sees the mounts that were there when it started.
        const own = new SandboxYard(createLocalProvider);
        const specification = own.specify({ workspace: { path: at("two"), mode: "overlay" } });
        await own.provider.create(specification, NEVER);
        await expect(own.startAgain(specification)).rejects.toMatchObject({
          code: "FILE_SYSTEM_UNSUITABLE",
        });
        await own.close();
      } finally {
        for (const target of ["two", "one", "."]) await runProcess(["umount", at(target)]);
      }
    },
  );
});
