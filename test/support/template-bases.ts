/** What holds of a template's base wherever one can be had: programs, accounts, root's steps, the policy, what is left. */
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { runProcess } from "../../src/platform/process.ts";
import type { Isolation } from "../../src/sandbox/provider.ts";
import type { Engine } from "../../src/session/engine.ts";
import type { MakeProvider } from "../../src/testing/conformance/sandbox-yard.ts";
import { buildTemplate, openBuildingEngine, writeTemplate } from "./building-engine.ts";
import { allOf, program, type Requirement } from "./requirement.ts";
import { makeSmallBase } from "./small-base.ts";

const NEVER = new AbortController().signal;
const OWNER = "local:7";
const LAYOUTS = allOf(program("skopeo"), program("umoci"));

export interface BasesSubject {
  name: string;
  needed: Requirement;
  makeProvider: MakeProvider;
  /** Default: what the provider states first. */
  isolation?: Isolation;
  /** Whether steps may be root inside. */
  rooted: Requirement;
  /** Whether another subject shows how bases are made and refused. Default: false. */
  isMadeElsewhere?: boolean;
}

export function describeTemplateBases(subject: BasesSubject): void {
  const { name, needed, makeProvider, isolation, rooted, isMadeElsewhere = false } = subject;
  describe.skipIf(!needed.met)(needed.title(`a template's base, ${name}`), () => {
    let shared: string;
    let root: string;
    let engine: Engine;
    const made = new Map<string, string>();
    beforeAll(async () => {
      shared = realpathSync(mkdtempSync(join(tmpdir(), "cg-bases-")));
      await makeSmallBase(join(shared, "small"));
      await sh('cd "$1" && tar -czf small.tar -C small .', shared);
    });
    afterAll(() => rmSync(shared, { recursive: true, force: true }));
    beforeEach(async () => {
      root = realpathSync(mkdtempSync(join(tmpdir(), "cg-base-")));
      engine = await openBuildingEngine(root, makeProvider);
    });
    afterEach(async () => {
      made.clear();
      await engine.sandboxes.removeEverything();
      await engine.close();
      rmSync(root, { recursive: true, force: true });
    });

    function template(base: string, rest: string): void {
      const grade = isolation === undefined ? "" : `isolation: ${isolation}\n`;
      writeTemplate(root, "based", `version: 1\nagent: shell\n${grade}base: ${base}\n${rest}\n`);
    }

    /** What a script says in the sandbox of that name, which is made when it is first asked for. */
    async function say(name: string, script: string): Promise<string> {
      if (!made.has(name)) {
        const wish = { name, template: { name: "based" }, workspace: null };
        const { id } = (await engine.sandboxes.create(OWNER, wish)).sandbox;
        await engine.sandboxes.start(id, {}, { signal: NEVER });
        made.set(name, id);
      }
      const running = await engine.sandboxes.running(made.get(name) ?? "");
      const started = await running.exec({ argv: ["sh", "-c", `{ ${script}\n} 2>&1`] }, NEVER);
      started.input.end();
      started.errors?.resume();
      const chunks = await Array.fromAsync(started.output as AsyncIterable<Buffer>);
      return Buffer.concat(chunks).toString().trim();
    }

    const LOOK = "grep NAME /etc/os-release; id -un; cat ~/f; ls /usr/bin/git; ls ~";
    const SEEN = /^NAME=Small\nagent\nmine\nls: .*No such file.*\nf$/;
    const STEP = "setup:\n  - run: echo mine > f";

    test("that is a directory is what programs find, and stays as it is", async () => {
      const before = await sh('find "$1" | sort', join(shared, "small"));
      template(`{ directory: ${shared}/small }`, STEP);
      expect(await say("made", LOOK)).toMatch(SEEN);
      await say("made", "echo x >> /etc/os-release; echo x >> /usr/bin/ls; echo x > /usr/bin/x");
      expect(await sh('find "$1" | sort', join(shared, "small"))).toBe(before);
      expect(readFileSync(join(shared, "small/etc/os-release"), "utf8")).toBe("NAME=Small\n");
    });

    test.skipIf(!rooted.met)(
      rooted.title("lets a step of setup be root inside, and no program later"),
      async () => {
        template(
          `{ tar: ${shared}/small.tar }`,
          [
            "setup:",
            "  - run: id -u > who; mkdir /opt && echo tool > /opt/tool && chown 33:33 /opt/tool && chmod 4755 /opt/tool; echo kept > /etc/kept",
            "    root: true",
            "  - run: if echo x > /opt/x; then exit 1; fi; grep -q ^CapEff:.0000000000000000$ /proc/self/status; echo mine > f; rm who",
            "  - run: echo second > /opt/second; echo team:x:77:77::/:/bin/false >> /etc/passwd; chown 77 /etc/kept",
            "    root: true",
          ].join("\n"),
        );
        const look =
          "cat /opt/tool /opt/second /etc/kept; stat -c '%U %a' /opt/tool; stat -c %U /etc/kept; id -un; cd; ls";
        const seen = "tool\nsecond\nkept\nwww 4755\nteam\nagent\nf";
        const [one, two] = await Promise.all([say("one", look), say("two", look)]);
        expect([one, two]).toEqual([seen, seen]);
        await say("one", "rm -f /opt/tool; echo x > /etc/kept; echo changed > ~/f");
        expect(await say("one", `${look}; cat f`)).toBe(`${seen}\nchanged`);
        expect(await say("two", `${look}; cat f`)).toBe(`${seen}\nmine`);

        const isBase = expect.stringMatching(/^base\/tar-[0-9a-f]{32}$/);
        const layers = await engine.templateLayers.list();
        expect(layers).toHaveLength(4);
        expect(layers).toContainEqual(expect.objectContaining({ layer: isBase, sandboxes: 2 }));
        expect(layers.every(({ bytes }) => bytes > 0)).toBe(true);
        const later = Date.now() + 60_000;
        expect(await engine.templateLayers.collect(later)).toEqual([]);
        for (const id of made.values()) await engine.sandboxes.remove(id);
        expect(await engine.templateLayers.collect(later)).toHaveLength(4);
        expect(await engine.templateLayers.list()).toEqual([]);
      },
    );

    if (isMadeElsewhere) return;

    test.skipIf(!LAYOUTS.met)(
      LAYOUTS.title("that is an image is unpacked, what its layers remove left out"),
      async () => {
        const layout = join(root, "layout");
        await sh(
          `umoci init --layout "$1" && umoci new --image "$1:latest"
           umoci insert --rootless --image "$1:latest" "$2" / && umoci insert --rootless --image "$1:latest" "$2/etc/passwd" /gone
           umoci insert --rootless --image "$1:latest" --whiteout /gone
           umoci config --image "$1:latest" --architecture ${process.arch === "x64" ? "amd64" : "arm64"} --os linux`,
          layout,
          join(shared, "small"),
        );
        template(`{ image: ${layout} }`, STEP);
        expect(await say("made", `${LOOK}; ls /gone`)).toMatch(/mine\nls: .*git.*\nf\nls: .*gone/);
      },
    );

    test("builds under the template's policy alone, and names what that refused", async () => {
      template(
        `{ tar: ${shared}/small.tar }`,
        "policy: { preset: locked }\nsetup:\n  - run: bash -c 'echo > /dev/tcp/forbidden.example/443'",
      );
      await expect(buildTemplate(engine, "based")).rejects.toMatchObject({
        code: "TEMPLATE_BUILD_FAILED",
        hint: expect.stringContaining("forbidden.example"),
      });
    });

    test("that is no root file system, or another than the template names, is refused", async () => {
      mkdirSync(join(root, "empty"));
      template(`{ directory: ${root}/empty }`, STEP);
      await expect(buildTemplate(engine, "based")).rejects.toMatchObject({ code: "BASE_INVALID" });
      template(`{ tar: ${shared}/small.tar, digest: "sha256:${"0".repeat(64)}" }`, STEP);
      await expect(buildTemplate(engine, "based")).rejects.toMatchObject({ code: "BASE_CHECKSUM" });
      await sh('head -c 70000 "$1/small.tar" > "$2/broken"', shared, root);
      template(`{ tar: ${root}/broken }`, STEP);
      await expect(buildTemplate(engine, "based")).rejects.toMatchObject({ code: "BASE_INVALID" });
    });
  });
}

async function sh(script: string, ...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await runProcess(["sh", "-ec", script, "sh", ...words]);
  expect([code, stderr]).toEqual([0, expect.anything()]);
  return stdout.trim();
}
