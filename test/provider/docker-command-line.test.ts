/** What a person is told on the command line by a Docker engine that is not as it should be; nothing of the attempt is left. */
import { deepEqual } from "node:assert";
import { once } from "node:events";
import { chmodSync, mkdirSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { assert } from "../../src/errors/error.ts";
import { runProcess } from "../../src/platform/process.ts";
import { CommandLine, type CommandResult } from "../support/command-line.ts";
import { DOCKER, DockerRig, IMAGE } from "../support/docker-rig.ts";

const opened = await DockerRig.forFile();
const NOTHING = { containers: 0, volumes: 0, networks: 2 };
const NOBODY = 65_534;
const UP = { code: 0, stdout: "up\n" };

describe.skipIf(!DOCKER.met)(DOCKER.title("`--provider docker` on the command line"), () => {
  let rig: DockerRig;
  let line: CommandLine;
  beforeEach(() => {
    assert(opened !== undefined, "no engine");
    rig = opened;
    line = new CommandLine();
    // Where the engine sees what this machine mounts.
    const runtimeDirectory = join(rig.directory, "r");
    mkdirSync(runtimeDirectory, { recursive: true, mode: 0o700 });
    line.environment["XDG_RUNTIME_DIR"] = runtimeDirectory;
  });
  afterEach(async () => {
    await line.close();
    deepEqual(await rig.count(), NOTHING);
  });

  const runOn = (socketPath: string, image = IMAGE): Promise<CommandResult> =>
    line.run(["run", "shell", "--provider", "docker", "--name", "one", "--", "-c", "echo up"], {
      environment: { DOCKER_HOST: `unix://${socketPath}`, CATTLEGRID_DOCKER_IMAGE: image },
    });

  function expectRefusal({ code, stdout, stderr }: CommandResult, ...said: string[]): void {
    expect({ code, stdout }).toEqual({ code: 125, stdout: "" });
    for (const text of said) expect(stderr).toContain(text);
    expect(stderr).not.toMatch(/^\s+at /m);
  }

  test("no engine", async () => {
    const result = await runOn(join(line.directory, "none"));
    expectRefusal(result, "code: PROVIDER_UNREACHABLE", "install -y docker.io");
  });

  test("an engine that does not run", async () => {
    const path = join(line.directory, "stale");
    const script = `import socket; socket.socket(socket.AF_UNIX).bind("${path}")`;
    await runProcess(["/usr/bin/python3", "-c", script]);
    expectRefusal(await runOn(path), "code: PROVIDER_UNREACHABLE", "systemctl start docker");
  });

  test("an engine that is too old", async () => {
    const path = join(line.directory, "simulated-engine");
    const version = JSON.stringify({ ApiVersion: "1.24", MinAPIVersion: "1.12" });
    const server = createServer((_request, answer) => answer.end(version)).listen(path);
    await once(server, "listening");
    expectRefusal(await runOn(path), "code: PROVIDER_OUTDATED", "Docker 20.10");
    server.closeAllConnections();
    server.close();
  });

  test("an engine without the image", async () => {
    const result = await runOn(rig.socketPath, "no-such-image");
    expectRefusal(result, "code: IMAGE_MISSING", "never pulls");
  });

  test("an engine that ends while a sandbox runs, and comes back", async () => {
    expect(await runOn(rig.socketPath)).toMatchObject(UP);
    await rig.kill();
    expectRefusal(await line.run(["exec", "one", "--", "true"]), "code: SANDBOX_NOT_RUNNING");
    await rig.start();
    // What was left of it is removed first.
    await expect.poll(() => runOn(rig.socketPath), { timeout: 60_000 }).toMatchObject(UP);
    expect(await line.run(["exec", "one", "--", "echo", "in"])).toMatchObject({ stdout: "in\n" });
  });

  test("an engine that is gone when everything is removed: what it may still have is told", async () => {
    expect(await runOn(rig.socketPath)).toMatchObject(UP);
    await rig.kill();
    const gone = await line.run(["reset", "--yes"]);
    expect(gone).toMatchObject({ code: 0 });
    expect(gone.stderr).toContain("What sandboxes left at docker may still be there.");
    await rig.start();
    const lines = async (...argv: string[]): Promise<string[]> =>
      (await rig.docker(...argv)).split("\n").filter(Boolean);
    await rig.docker("rm", "--force", "--volumes", ...(await lines("ps", "--all", "--quiet")));
    for (const name of await lines("volume", "ls", "--quiet"))
      await rig.docker("volume", "rm", name);
    // One that answers has nothing left.
    expect(await runOn(rig.socketPath)).toMatchObject(UP);
    const { code, stderr } = await line.run(["reset", "--yes"]);
    expect([code, stderr.includes("may still be there")]).toEqual([0, false]);
  });

  test("an engine that an ordinary user may not use, and one that they may, by a helper", async () => {
    const user = new CommandLine({ uid: NOBODY });
    chmodSync(rig.directory, 0o711);
    try {
      const environment = {
        DOCKER_HOST: `unix://${rig.socketPath}`,
        CATTLEGRID_DOCKER_IMAGE: IMAGE,
      };
      const run = (): Promise<CommandResult> =>
        user.run(["run", "shell", "--provider", "docker", "--name", "one", "--", "-c", "id -u"], {
          environment,
        });
      expectRefusal(await run(), "code: PROVIDER_FORBIDDEN", "usermod -aG docker");
      chmodSync(rig.socketPath, 0o666);
      expect(await run()).toMatchObject({ code: 0, stdout: `${NOBODY}\n` });
      const { stdout } = await user.run(["inspect", "one", "--json"]);
      expect(JSON.parse(stdout)).toMatchObject({
        facts: { egress: expect.stringContaining("a short-lived container") },
      });
      const refused = await user.run(["exec", "one", "--", "curl", "-sS", "http://1.1.1.1/"]);
      expect(refused.stdout).toContain("egress policy refused 1.1.1.1:80");
    } finally {
      await user.close();
      chmodSync(rig.socketPath, 0o660);
    }
  });
});
