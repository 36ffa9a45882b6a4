/** Root file systems of templates: directories, archives and images, also broken and hostile ones. */
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { removeTree } from "../../src/platform/tree-removal.ts";
import { runProcess } from "../../src/platform/process.ts";
import type { Engine } from "../../src/session/engine.ts";
import { buildTemplate, openBuildingEngine, writeTemplate } from "../support/building-engine.ts";
import { findOwnRange } from "../../src/sandbox/providers/local/subordinate-ids.ts";
import {
  allOf,
  ordinaryUser,
  program,
  requirement,
  root as asRoot,
} from "../support/requirement.ts";
import { makeSmallBase } from "../support/small-base.ts";

const RUNTIME = allOf(program("crun"), program("unshare"));
const IMAGES = allOf(RUNTIME, program("skopeo"), program("umoci"));
const NEVER = new AbortController().signal;

async function sh(script: string, ...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await runProcess(["sh", "-ec", script, "sh", ...words]);
  expect([code, stderr]).toEqual([0, expect.anything()]);
  return stdout.trim();
}

describe.skipIf(!RUNTIME.met)(RUNTIME.title("a template's base"), () => {
  let shared: string;
  let root: string;
  let engine: Engine;
  beforeAll(async () => {
    shared = realpathSync(mkdtempSync(join(tmpdir(), "cg-bases-")));
    await makeSmallBase(join(shared, "small"));
    await sh('cd "$1" && tar -cf small.tar -C small .', shared);
  });
  afterAll(() => rmSync(shared, { recursive: true, force: true }));
  beforeEach(async () => {
    root = realpathSync(mkdtempSync(join(tmpdir(), "cg-base-")));
    engine = await openBuildingEngine(root);
  });
  afterEach(async () => {
    await engine.close();
    // What is unpacked with the ids that it has inside may belong to others than whoever runs this.
    await removeTree(root);
  });

  function template(base: string, rest = "setup:\n  - run: echo mine > f"): void {
    writeTemplate(root, "based", `version: 1\nagent: shell\nbase: ${base}\n${rest}\n`);
  }

  const kept = (): readonly string[] => readdirSync(join(root, "state/providers/local/bases"));

  async function say(script: string): Promise<string> {
    const wish = { name: "made", template: { name: "based" }, workspace: null };
    const { sandbox } = await engine.sandboxes.create("local:7", wish);
    await engine.sandboxes.start(sandbox.id, {}, { signal: NEVER });
    const running = await engine.sandboxes.running(sandbox.id);
    const started = await running.exec({ argv: ["sh", "-c", `{ ${script}\n} 2>&1`] }, NEVER);
    started.input.end();
    started.errors?.resume();
    const chunks = await Array.fromAsync(started.output as AsyncIterable<Buffer>);
    return Buffer.concat(chunks).toString().trim();
  }

  const LOOK = "grep NAME /etc/os-release; id -un; cat f; ls /usr/bin/git";
  const SEEN = /^NAME=Small\nagent\nmine\nls: .*No such file/;

  test("that is a directory is what programs find, and stays as it is", async () => {
    const before = await sh('find "$1" | sort', join(shared, "small"));
    template(`{ directory: ${shared}/small }`);
    expect(await say(`${LOOK}; echo x >> /etc/os-release; echo x >> /usr/bin/ls`)).toMatch(SEEN);
    expect(await sh('find "$1" | sort', join(shared, "small"))).toBe(before);
    expect(readFileSync(join(shared, "small/etc/os-release"), "utf8")).toBe("NAME=Small\n");
    expect(kept()).toEqual([]);
  });

  test.each(["", "gzip -1", "xz -0", "zstd -1"])(
    "that is an archive (%s) is unpacked once, and its path counts from the template's directory",
    async (how) => {
      mkdirSync(join(root, "templates/based"), { recursive: true });
      await sh(
        `cat "$1" | ${how === "" ? "cat" : how} > "$2"`,
        `${shared}/small.tar`,
        `${root}/templates/based/r`,
      );
      template("{ tar: r }");
      expect(await say(LOOK)).toMatch(SEEN);
      expect(kept()).toEqual([expect.stringMatching(/^tar-[0-9a-f]{32}(-\d+)?$/)]);
    },
  );

  test("that is no archive is refused, and nothing of it is kept", async () => {
    writeFileSync(
      join(root, "broken"),
      readFileSync(join(shared, "small.tar")).subarray(0, 70_000),
    );
    template(`{ tar: ${root}/broken }`);
    await expect(buildTemplate(engine, "based")).rejects.toMatchObject({ code: "BASE_INVALID" });
    writeFileSync(join(root, "broken"), "\u001f\u008b not gzip at all");
    await expect(buildTemplate(engine, "based")).rejects.toMatchObject({ code: "BASE_INVALID" });
    expect(kept()).toEqual([]);
    expect(readdirSync(join(root, "state/providers/local/trash"))).toEqual([]);
  });

  test("that is another archive than the template names is refused", async () => {
    template(`{ tar: ${shared}/small.tar, digest: "sha256:${"0".repeat(64)}" }`);
    await expect(buildTemplate(engine, "based")).rejects.toMatchObject({ code: "BASE_CHECKSUM" });
    const digest = await sh('sha256sum "$1" | cut -c1-64', `${shared}/small.tar`);
    template(`{ tar: ${shared}/small.tar, digest: "sha256:${digest}" }`);
    expect(await buildTemplate(engine, "based")).toHaveLength(1);
  });

  test.each([
    ["absent", "BASE_INVALID"],
    ["empty", "BASE_INVALID"],
  ])("that is an %s directory is refused", async (name, code) => {
    mkdirSync(join(root, "empty"));
    template(`{ directory: ${root}/${name} }`);
    await expect(buildTemplate(engine, "based")).rejects.toMatchObject({ code });
  });

  test("whose entries want out of it reaches nothing of the host", async () => {
    const evil = join(root, "evil");
    cpSync(join(shared, "small"), evil, { recursive: true, verbatimSymlinks: true });
    rmSync(join(evil, "etc"), { recursive: true });
    symlinkSync("/etc", join(evil, "etc"));
    symlinkSync(root, join(evil, "way"));
    mkdirSync(join(root, "outside/etc"), { recursive: true });
    writeFileSync(join(root, "outside/out"), "out");
    await sh(
      'tar -C "$1" -cPf "$2" . && tar -C "$3" -rPf "$2" --transform "s,^out$,./way/escaped,S" out && tar -C "$3" -rPf "$2" --transform "s,^out$,../../escaped,S" out',
      evil,
      join(root, "evil.tar"),
      join(root, "outside"),
    );
    template(`{ tar: ${root}/evil.tar }`, "setup:\n  - run: cat /etc/passwd");
    let said = "";
    const onOutput = (text: string): void => void (said += text);
    await buildTemplate(engine, "based", { onOutput }).catch(() => undefined);
    expect(existsSync(join(root, "escaped"))).toBe(false);
    expect(existsSync(join(root, "state/providers/local/escaped"))).toBe(false);
    expect(existsSync(join(root, "state/providers/escaped"))).toBe(false);
    expect(said).not.toContain(readFileSync("/etc/passwd", "utf8").split("\n")[1]);
  });

  const ROOTED = [
    "setup:",
    "  - run: mkdir /opt && echo tool > /opt/tool && chown 33:33 /opt/tool && chmod 4755 /opt/tool",
    "    root: true",
    "  - run: if echo x > /opt/x; then exit 1; fi",
  ].join("\n");

  test.skipIf(!asRoot().met)(
    asRoot().title("lets a step of setup be root inside, and no program later"),
    async () => {
      template(`{ tar: ${shared}/small.tar }`, ROOTED);
      expect(await say("cat /opt/tool; stat -c '%U %a' /opt/tool; rm /opt/tool; id -u")).toMatch(
        /^tool\nwww 4755\nrm: .*Permission denied\n1000$/,
      );
      const roots = join(root, "state/providers/local/roots");
      const owner = await sh('stat -c %u "$1"/*/opt', roots);
      expect(Number(owner)).toBeGreaterThan(65_536);
    },
  );

  const NO_IDS = allOf(
    ordinaryUser(),
    requirement("no subordinate ids", () =>
      ordinaryUser().met && findOwnRange() !== undefined ? "the user has some" : undefined,
    ),
  );

  test.skipIf(!NO_IDS.met)(
    NO_IDS.title("has no root where an ordinary user without subordinate ids runs it"),
    async () => {
      template(`{ tar: ${shared}/small.tar }`, ROOTED);
      await expect(buildTemplate(engine, "based")).rejects.toMatchObject({
        code: "BASE_UNSUITABLE",
        hint: expect.stringMatching(
          new RegExp(
            `sudo usermod --add-subuids (\\d+-\\d+) --add-subgids \\1 ${userInfo().username}\``,
          ),
        ),
      });
    },
  );

  describe.skipIf(!IMAGES.met)(IMAGES.title("as an image"), () => {
    /** A layout with one image, of which a second layer removes a file of the first. */
    async function makeImage(architecture: string): Promise<string> {
      const layout = join(root, `image-${architecture}`);
      await sh(
        `umoci init --layout "$1" && umoci new --image "$1:latest"
         umoci insert --rootless --image "$1:latest" "$2" / && umoci insert --rootless --image "$1:latest" "$2/etc/passwd" /gone
         umoci insert --rootless --image "$1:latest" --whiteout /gone
         umoci config --image "$1:latest" --architecture ${architecture} --os linux`,
        layout,
        join(shared, "small"),
      );
      return layout;
    }
    const OWN = process.arch === "x64" ? "amd64" : "arm64";
    const OTHER = process.arch === "x64" ? "arm64" : "amd64";

    test("is unpacked once, what its layers remove left out", async () => {
      template(`{ image: ${await makeImage(OWN)} }`);
      expect(await say(`${LOOK}; ls /gone`)).toMatch(/mine\nls: .*git.*\nls: .*gone.*No such file/);
      expect(kept()).toEqual([expect.stringMatching(/^image-[0-9a-f]{32}(-\d+)?$/)]);
    });

    test("is refused for another kind of machine, and with another digest, and nothing is kept", async () => {
      template(`{ image: ${await makeImage(OTHER)} }`);
      await expect(buildTemplate(engine, "based")).rejects.toMatchObject({
        code: "BASE_UNSUITABLE",
        message: expect.stringContaining(`linux/${OTHER}`),
      });
      template(`{ image: ${await makeImage(OWN)}, digest: "sha256:${"0".repeat(64)}" }`);
      await expect(buildTemplate(engine, "based")).rejects.toMatchObject({ code: "BASE_CHECKSUM" });
      expect(kept()).toEqual([]);
    });

    test("whose bytes were changed is refused", async () => {
      const layout = await makeImage(OWN);
      const blobs = join(layout, "blobs/sha256");
      const largest = await sh('ls -S "$1" | head -1', blobs);
      writeFileSync(join(blobs, largest), "changed", { flag: "a" });
      template(`{ image: ${layout} }`);
      await expect(buildTemplate(engine, "based")).rejects.toMatchObject({ code: "BASE_INVALID" });
      expect(kept()).toEqual([]);
    });
  });
});
