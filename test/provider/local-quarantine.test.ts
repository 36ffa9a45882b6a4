/** What the agent makes for the host to run (E58), and special files of the workspace, in mode `direct`. */
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createLocalProvider } from "../../src/sandbox/providers/local/provider.ts";
import { answer, run, sh, succeeding } from "../../src/testing/conformance/sandbox-yard.ts";
import { allOf, program } from "../support/requirement.ts";
import { OWNER, SandboxYard } from "../support/sandbox-yard.ts";

const NEEDED = allOf(program("crun"), program("unshare"), program("nsenter"), program("git"));

describe.skipIf(!NEEDED.met)(NEEDED.title("a workspace in mode direct"), () => {
  let yard: SandboxYard;
  let root: string;
  const children: ChildProcess[] = [];
  const at = (name: string): string => join(yard.workspace, name);
  const open = (): Promise<SandboxYard> =>
    SandboxYard.open(
      {
        providers: [
          createLocalProvider({
            stateDirectory: join(root, "state"),
            runtimeDirectory: join(root, "run"),
          }),
        ],
      },
      root,
    );
  const begin = async (more: object = {}): Promise<string> => {
    const id = await yard.make({ name: "box", ...more });
    await yard.run(id);
    return id;
  };
  const inside = async (id: string, script: string): Promise<string> =>
    answer(await yard.sandboxes.running(id), script);
  const quarantined = async (): Promise<readonly string[]> =>
    (await yard.sandboxes.quarantines.list(OWNER)).map(({ path }) => path);

  beforeEach(async () => {
    root = realpathSync(mkdtempSync(join(tmpdir(), "cg-quarantine-")));
    yard = await open();
  });
  afterEach(async () => {
    for (const child of children.splice(0)) child.kill("SIGKILL");
    await yard.close();
    yard.remove();
  });

  test("gives up what was made for the host to run, by name and with the reason, and keeps the rest", async () => {
    writeFileSync(at(".envrc"), "host\n");
    const id = await begin();
    await inside(
      id,
      "mkdir -p .vscode .kiro/settings src; echo t >.vscode/tasks.json; echo m >.kiro/settings/mcp.json; echo x >.mcp.json; echo s >src/a",
    );
    expect((await yard.sandboxes.get(id)).createdPaths).toEqual(
      [".kiro/settings", ".mcp.json", ".vscode/tasks.json"].map(at),
    );
    await yard.sandboxes.quarantines.sweep(id);
    expect(await quarantined()).toEqual([".kiro/settings", ".mcp.json", ".vscode/tasks.json"]);
    expect(existsSync(at(".vscode/tasks.json"))).toBe(false);
    expect(readFileSync(at(".envrc"), "utf8") + readFileSync(at("src/a"), "utf8")).toBe(
      "host\ns\n",
    );
    await inside(id, "echo again >.mcp.json");
    await yard.sandboxes.stop(id);
    expect(await quarantined()).toHaveLength(4);
    expect(existsSync(at(".mcp.json"))).toBe(false);
    const entries = await yard.sandboxes.quarantines.list(OWNER);
    expect(entries[0]).toMatchObject({
      sandbox: "box",
      reason: expect.stringContaining("servers"),
    });
  });

  test("gets back what a person restores, which then stays, and nothing over what is there", async () => {
    const id = await begin();
    await inside(id, "mkdir -p .vscode; echo t >.vscode/tasks.json; echo x >.mcp.json");
    await yard.sandboxes.quarantines.sweep(id);
    const [servers, tasks] = await yard.sandboxes.quarantines.list(OWNER);
    await yard.sandboxes.quarantines.restore(OWNER, tasks?.id ?? "");
    expect(readFileSync(at(".vscode/tasks.json"), "utf8")).toBe("t\n");
    expect(await yard.sandboxes.quarantines.sweep(id)).toEqual([]);
    writeFileSync(at(".mcp.json"), "mine\n");
    await expect(
      yard.sandboxes.quarantines.restore(OWNER, servers?.id ?? ""),
    ).rejects.toMatchObject({ code: "QUARANTINE_PLACE_TAKEN" });
    await expect(
      yard.sandboxes.quarantines.restore("local:8", servers?.id ?? ""),
    ).rejects.toMatchObject({ code: "QUARANTINE_NOT_FOUND" });
    expect(readFileSync(at(".mcp.json"), "utf8")).toBe("mine\n");
    await yard.sandboxes.remove(id);
    await yard.sandboxes.quarantines.remove(OWNER, servers?.id ?? "");
    const left = await yard.sandboxes.quarantines.list(OWNER);
    expect(left.map(({ path }) => path)).toEqual([".mcp.json"]);
    expect(readdirSync(join(root, "state/quarantine"))).toEqual([left[0]?.id]);
  });

  test("keeps a new repository that runs nothing, and no hook in it", async () => {
    const id = await begin();
    await inside(id, "git init -q; git init -q below; git -C below config user.name A");
    expect(await yard.sandboxes.quarantines.sweep(id)).toEqual([]);
    await inside(
      id,
      "echo x >.git/hooks/pre-commit; git -C below config core.fsmonitor /tmp/evil; ls .git",
    );
    await yard.sandboxes.stop(id);
    expect(await quarantined()).toEqual([".git/hooks", "below/.git/config"]);
    execFileSync("git", ["-C", yard.workspace, "status"], { stdio: "ignore" });
  });

  test("lets the agent change and make what the user has lifted, and shows it", async () => {
    mkdirSync(at(".vscode"));
    for (const name of ["tasks.json", "settings.json"])
      writeFileSync(at(`.vscode/${name}`), "host\n");
    const id = await begin({ unprotect: [".vscode/tasks.json", "./.kiro/"] });
    await inside(id, "echo a >.vscode/tasks.json; mkdir -p .kiro/hooks; echo h >.kiro/hooks/a");
    expect(
      await succeeding(await yard.sandboxes.running(id), ["echo a >.vscode/settings.json"]),
    ).toEqual([]);
    await yard.sandboxes.stop(id);
    expect(await quarantined()).toEqual([]);
    expect((await yard.sandboxes.get(id)).unprotected).toEqual([".vscode/tasks.json", ".kiro"]);
    for (const path of ["/etc", "..", "a/../..", "."]) {
      await expect(yard.make({ name: "other", unprotect: [path] })).rejects.toMatchObject({
        code: "REQUEST_INVALID",
      });
    }
  });

  test("is looked through after a crash of the engine too", async () => {
    const id = await begin();
    await inside(id, "echo x >.mcp.json");
    const row = await yard.store.sandboxes.get(id);
    await yard.close();
    const left = await open();
    await left.store.sandboxes.update(id, {
      status: "running",
      ...(row?.startedAt && { startedAt: row.startedAt }),
    });
    writeFileSync(at(".envrc"), "made while nobody looked\n");
    await left.close();
    yard = await open();
    await yard.sandboxes.recovered();
    expect(await quarantined()).toEqual([".mcp.json", ".envrc"]);
  });

  test("loses nothing of the user's to a link that the agent puts in the way", async () => {
    const outside = join(root, "outside");
    mkdirSync(outside);
    writeFileSync(join(outside, "tasks.json"), "the user's own\n");
    const id = await begin();
    await inside(id, `ln -s ${outside} .vscode; ln -s ${outside}/tasks.json .mcp.json`);
    await yard.sandboxes.stop(id);
    expect(readFileSync(join(outside, "tasks.json"), "utf8")).toBe("the user's own\n");
    symlinkSync(outside, at(".idea"));
    expect(lstatSync(at(".idea")).isSymbolicLink()).toBe(true);
  });

  test("shows an empty file in place of each socket and pipe, and the agent's own ones work", async () => {
    mkdirSync(at("run"));
    const server = createServer((socket) => socket.end("the host's own"));
    server.listen(at("run/host.sock"));
    await once(server, "listening");
    execFileSync("mkfifo", [at("pipe")]);
    const reader = spawn("cat", [at("pipe")]);
    children.push(reader);
    try {
      const id = await begin();
      const running = await yard.sandboxes.running(id);
      const talk = (path: string): string =>
        `import socket; s = socket.socket(socket.AF_UNIX); s.connect("${path}"); print(s.recv(99).decode())`;
      const { output } = await run(running, ["/usr/bin/python3", "-c", talk("run/host.sock")]);
      expect(output).toBe("");
      expect(
        await succeeding(running, ["echo x >pipe", "cat pipe", "mv run/host.sock o", "rm -f pipe"]),
      ).toEqual([]);
      expect(await inside(id, "stat -c %s:%F run/host.sock pipe")).toBe(
        "0:regular empty file\n0:regular empty file",
      );
      expect(await inside(id, "mkfifo own; (echo works >own &) ; cat own")).toBe("works");
      expect((await sh(running, "touch run/new")).code).toBe(0);
      expect(lstatSync(at("run/host.sock")).isSocket()).toBe(true);
    } finally {
      server.close();
    }
  });
});
