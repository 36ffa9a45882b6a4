import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { CommandLineYard } from "../support/command-line-yard.ts";
import { KIRO_NEEDS } from "../support/kiro-needs.ts";
import { allOf, root } from "../support/requirement.ts";

let yard: CommandLineYard;
afterEach(() => yard?.close());

function layers(): string[] {
  const directory = join(yard.root, "state/providers/local/layers");
  return existsSync(directory) ? readdirSync(directory) : [];
}

describe.skipIf(!KIRO_NEEDS.met)(KIRO_NEEDS.title("installing Kiro from the command line"), () => {
  test("happens once: the next sandbox starts without asking Kiro's site for anything", async () => {
    yard = await CommandLineYard.open();
    const version = ["--", "--version"];
    const first = await yard.run(["run", "kiro", "--name", "first", ...version]);
    expect(first.text).toContain("Installing Kiro CLI (AWS)");
    expect(first.text).toContain("Installed kiro 2.21.2.");
    expect(first).toMatchObject({ exitCode: 0, stdout: Buffer.from("kiro-cli 2.21.2\n") });
    expect(yard.cloud.requests).toContain("cli.kiro.dev GET /install");

    const before = yard.cloud.requests.length;
    const second = await yard.run(["run", "kiro", "--name", "second", ...version]);
    expect(second).toMatchObject({ exitCode: 0, stdout: Buffer.from("kiro-cli 2.21.2\n") });
    expect(second.text).not.toContain("Install");
    expect(yard.cloud.requests.length).toBe(before);
    const { stdout } = await yard.run(["logs", "second", "--egress", "--json"]);
    expect(stdout.toString()).not.toContain("cli.kiro.dev");
  });

  test("is pruned once no sandbox stands on it, and happens anew when it is needed again", async () => {
    yard = await CommandLineYard.open();
    const prune = async (): Promise<{ sandboxes: unknown[]; layers: unknown[] }> => {
      const argv = ["prune", "--older-than", "1d", "--yes", "--json"];
      return JSON.parse((await yard.run(argv)).stdout.toString()) as never;
    };
    await yard.run(["run", "kiro", "--name", "only", "--", "--version"]);
    const [layer] = layers();
    expect(layer).toMatch(/kiro/);
    expect(await prune()).toEqual({ sandboxes: [], layers: [] });
    expect(layers()).toEqual([layer]);
    await yard.run(["rm", "--force", "only"]);
    expect((await prune()).layers).toHaveLength(1);
    expect(layers()).toEqual([]);
    const again = await yard.run(["run", "kiro", "--name", "again", "--", "--version"]);
    expect(again).toMatchObject({ exitCode: 0, stdout: Buffer.from("kiro-cli 2.21.2\n") });
    expect(again.text).toContain("Installed kiro 2.21.2.");
  });

  test("succeeds when the program works, whatever the installer's exit status", async () => {
    yard = await CommandLineYard.open({ installerFault: "exit-status" });
    const { exitCode, stdout } = await yard.run(["run", "kiro", "--", "--version"]);
    expect([exitCode, stdout.toString()]).toEqual([0, "kiro-cli 2.21.2\n"]);
  });

  const cleaned = /Kiro CLI installer:[^]*Installation failed\. Cleaning up\.\.\./;
  test.each([
    ["checksum", {}, [cleaned, /checksum|SHA-256/i]],
    ["unavailable", {}, [cleaned, /503/]],
    ["none", { CATTLEGRID_MIRRORS: "", CATTLEGRID_MIRROR_CA: "" }, [/curl: \(\d+\)/]],
  ] as const)(
    "that fails (%s, mirrors %j) shows all that the installer wrote, and leaves nothing",
    async (installerFault, environment, complaints) => {
      yard = await CommandLineYard.open({ installerFault });
      const chat = await yard.run(["chat", "kiro", "--prompt", "hello"], { environment });
      expect(chat.exitCode).toBe(125);
      expect(chat.stdout.toString()).toBe("");
      const shown = chat.stderr.toString();
      expect(shown).toContain("AGENT_INSTALL_FAILED");
      for (const complaint of complaints) expect(shown).toMatch(complaint);
      expect(layers()).toEqual([]);
      expect(await yard.sandboxes()).toEqual([]);
      expect(readdirSync(join(yard.root, "state/providers/local/sandboxes"))).toEqual([]);
    },
  );
});

const MOUNTING = allOf(KIRO_NEEDS, root());
test.skipIf(!MOUNTING.met)(
  MOUNTING.title("a disk that is too small for the installation is refused before it begins"),
  async () => {
    yard = await CommandLineYard.open();
    const disk = join(yard.root, "small");
    mkdirSync(disk);
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=64m,mode=755", "tmpfs", disk]);
    const environment = { CATTLEGRID_HOME: join(disk, "state") };
    try {
      const { exitCode, stderr } = await yard.run(["run", "kiro"], { environment });
      expect(exitCode).toBe(125);
      expect(stderr.toString()).toContain("DISK_FULL");
      expect(yard.cloud.requests).toEqual([]);
      expect((await yard.run(["reset", "--yes"], { environment })).exitCode).toBe(0);
      expect(existsSync(join(disk, "state"))).toBe(false);
    } finally {
      execFileSync("umount", [disk]);
    }
  },
);
