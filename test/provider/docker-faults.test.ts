/** What goes wrong with an engine, an image or a disk is a typed failure, and leaves no container, volume or network. */
import { createHash } from "node:crypto";
import { deepEqual } from "node:assert";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import { assert } from "../../src/errors/error.ts";
import { runProcess, spawnProcess } from "../../src/platform/process.ts";
import { Engine, refuseRootless } from "../../src/sandbox/providers/docker/engine/engine.ts";
import { EngineClient } from "../../src/sandbox/providers/docker/engine/engine-client.ts";
import { runtimeOf } from "../../src/sandbox/providers/docker/container/isolation.ts";
import { createDockerProvider } from "../../src/sandbox/providers/docker/provider.ts";
import { answer, NEVER, run, SandboxYard, sh } from "../../src/testing/conformance/sandbox-yard.ts";
import { DOCKER, DockerRig, IMAGE } from "../support/docker-rig.ts";

const opened = await DockerRig.forFile();
const NOTHING = { containers: 0, volumes: 0, networks: 2 };

async function failureOf(attempt: Promise<unknown>): Promise<unknown> {
  return attempt.then(
    () => "no failure",
    (error: unknown) => error,
  );
}

/** An archive of an image, `other-machine`, that holds nothing and is for another kind of processor. */
async function imageOfOtherMachine(directory: string): Promise<string> {
  const write = (name: string, content: unknown): void =>
    writeFileSync(join(directory, name), JSON.stringify(content));
  await runProcess(["tar", "-cf", "layer.tar", "-T", "/dev/null"], { cwd: directory });
  const layer = createHash("sha256")
    .update(readFileSync(join(directory, "layer.tar")))
    .digest("hex");
  const architecture = process.arch === "arm64" ? "amd64" : "arm64";
  const rootfs = { type: "layers", diff_ids: [`sha256:${layer}`] };
  write("config.json", { architecture, os: "linux", config: {}, rootfs });
  const RepoTags = ["other-machine:latest"];
  write("manifest.json", [{ Config: "config.json", RepoTags, Layers: ["layer.tar"] }]);
  await runProcess(["tar", "-cf", "image.tar", "manifest.json", "config.json", "layer.tar"], {
    cwd: directory,
  });
  return join(directory, "image.tar");
}

/** Mounts of this machine below a directory: a workspace that was left mounted. */
function mountsBelow(directory: string): readonly string[] {
  const lines = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
  return lines.map((line) => line.split(" ")[4] ?? "").filter((path) => path.startsWith(directory));
}

describe.skipIf(!DOCKER.met)(DOCKER.title("a Docker engine that fails"), () => {
  let yard: SandboxYard;
  let rig: DockerRig;
  const servers: Server[] = [];
  beforeEach(() => {
    assert(opened !== undefined, "no engine");
    rig = opened;
    yard = new SandboxYard((directories) => rig.provider(directories));
  });
  afterEach(async () => {
    await yard.close();
    const left = { ...(await rig.count()), mounts: mountsBelow(yard.directory) };
    deepEqual(left, { ...NOTHING, mounts: [] });
  });
  afterAll(() => {
    for (const server of servers) server.close();
  });

  const providerAt = (host: string, image = IMAGE): ReturnType<typeof createDockerProvider> =>
    createDockerProvider({
      stateDirectory: join(yard.directory, "other"),
      runtimeDirectory: join(yard.directory, "run"),
      host,
      image,
    });
  const startOn = (host: string, image?: string): Promise<unknown> =>
    failureOf(providerAt(host, image).start(yard.specify(), { onCapture: () => undefined }, NEVER));

  test("that is not there, does not run, or is on another machine", async () => {
    expect(await startOn(`unix://${yard.directory}/none`)).toMatchObject({
      code: "PROVIDER_UNREACHABLE",
      hint: expect.stringContaining("DOCKER_HOST"),
    });
    const stale = join(yard.directory, "stale");
    const script = `import socket; socket.socket(socket.AF_UNIX).bind("${stale}")`;
    await runProcess(["/usr/bin/python3", "-c", script]);
    expect(await startOn(`unix://${stale}`)).toMatchObject({
      code: "PROVIDER_UNREACHABLE",
      hint: expect.stringContaining("systemctl start"),
    });
    expect(() => providerAt("tcp://10.0.0.1:2375")).toThrow("DOCKER_HOST");
  });

  test("that this account may not use", async () => {
    const script = `
      const { Engine } = await import("./src/sandbox/providers/docker/engine/engine.ts");
      const { EngineClient } = await import("./src/sandbox/providers/docker/engine/engine-client.ts");
      const engine = new Engine(new EngineClient(process.argv[1]));
      await engine.inspectEngine().catch((error) => console.log(error.code, error.hint));`;
    const as = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    const argv = [...as, process.execPath, "--input-type=module", "-e", script, rig.socketPath];
    const cwd = join(import.meta.dirname, "../..");
    const { stdout } = await runProcess(argv, { cwd });
    expect(stdout).toMatch(/^PROVIDER_FORBIDDEN .*usermod -aG docker/);
  });

  test.each([
    ["an old one", { ApiVersion: "1.24", MinAPIVersion: "1.12" }, "Docker 20.10"],
    ["one of years to come", { ApiVersion: "1.99", MinAPIVersion: "1.80" }, "Update Cattlegrid"],
  ])("%s, which speaks another version", async (_name, version, hint) => {
    const socket = join(yard.directory, "simulated-engine");
    const server = createServer((_request, answering) => answering.end(JSON.stringify(version)));
    servers.push(server.listen(socket));
    await once(server, "listening");
    expect(await startOn(`unix://${socket}`)).toMatchObject({
      code: "PROVIDER_OUTDATED",
      hint: expect.stringContaining(hint),
    });
    server.close();
  });

  test("without the image, or with one of another kind of machine", async () => {
    const host = `unix://${rig.socketPath}`;
    expect(await startOn(host, "no-such-image")).toMatchObject({
      code: "IMAGE_MISSING",
      hint: expect.stringContaining("never pulls"),
    });
    const tar = join(yard.directory, "empty.tar");
    await runProcess(["tar", "-cf", tar, "-T", "/dev/null"]);
    await rig.docker("import", tar, "empty");
    await rig.docker("load", "--input", await imageOfOtherMachine(yard.makeDirectory("image")));
    expect(await startOn(host, "other-machine")).toMatchObject({ code: "IMAGE_UNSUITABLE" });
    // One that has nothing in it is for this machine, and no process can wait in it.
    expect(await startOn(host, "empty")).toMatchObject({ code: "IMAGE_UNSUITABLE" });
  });

  test("without a runtime of the grade that is asked for", async () => {
    for (const isolation of ["gvisor", "microvm"] as const) {
      expect(await failureOf(yard.start({ isolation }))).toMatchObject({
        code: "ISOLATION_UNAVAILABLE",
      });
    }
    expect(await failureOf(yard.start({ isolation: "namespaces" }))).toMatchObject({
      code: "PROVIDER_UNSUPPORTED",
    });
    const facts = await new Engine(new EngineClient(rig.socketPath)).inspectEngine();
    const withRuntime = (name: string, runtimeArgs: readonly string[]): typeof facts => ({
      ...facts,
      Runtimes: { [name]: { path: "/usr/bin/it", runtimeArgs } },
    });
    // One that would not hold is as good as none.
    expect(() =>
      runtimeOf({ isolation: "gvisor" }, withRuntime("runsc", ["--network=host"])),
    ).toThrow("without --directfs=false --oci-seccomp");
    const held = ["--network=host", "--directfs=false", "--oci-seccomp"];
    const building = { isolation: "gvisor", hasRoot: true } as const;
    expect(() => runtimeOf(building, withRuntime("runsc", held))).toThrow(
      expect.objectContaining({
        code: "ISOLATION_UNAVAILABLE",
        message: expect.stringContaining("--overlay2=none"),
      }),
    );
    expect(runtimeOf(building, withRuntime("runsc", [...held, "--overlay2=none"]))).toBe("runsc");
    expect(() =>
      runtimeOf({ isolation: "microvm" }, withRuntime("io.containerd.kata.v2", [])),
    ).toThrow("do not reach the gateway");
  });

  test("that an ordinary user runs, whose ids own no workspace", async () => {
    const facts = await new Engine(new EngineClient(rig.socketPath)).inspectEngine();
    expect(() => refuseRootless(facts)).not.toThrow();
    const SecurityOptions = ["name=seccomp,profile=default", "name=rootless"];
    for (const rootless of [{ Rootless: true }, { SecurityOptions }]) {
      expect(() => refuseRootless({ ...facts, ...rootless })).toThrow("runs as an ordinary user");
    }
  });

  test("when its container is removed by somebody else, the sandbox has died", async () => {
    const sandbox = await yard.start();
    const program = await sandbox.exec({ argv: ["sleep", "100"] }, NEVER);
    const [id = ""] = (await rig.docker("ps", "--quiet")).split("\n");
    await rig.docker("rm", "--force", id);
    expect(await sandbox.ended).toMatchObject({ kind: "died" });
    expect((await program.ended).code).toBeGreaterThan(0);
    expect(await failureOf(sh(sandbox, "true"))).toMatchObject({ code: "SANDBOX_NOT_RUNNING" });
  });

  test("when the engine dies under a sandbox, the sandbox has died, and lives again with the engine", async () => {
    const specification = yard.specify();
    await yard.provider.create(specification, NEVER);
    const sandbox = await yard.startAgain(specification);
    await answer(sandbox, "echo kept >~/f");
    const program = await sandbox.exec({ argv: ["sleep", "100"] }, NEVER);
    await rig.kill();
    expect(await program.ended).toMatchObject({ kind: "lost", code: 125 });
    expect(await failureOf(startOn(`unix://${rig.socketPath}`))).toMatchObject({});
    await rig.start();
    expect(await sandbox.ended).toMatchObject({ kind: "died" });
    await yard.provider.reap(new Set([specification.id]));
    const again = await yard.startAgain(specification);
    expect(await answer(again, "cat ~/f")).toBe("kept");
    await again.stop();
    await yard.provider.destroy(specification.id);
  });

  test.each([
    ["network was entered", ""],
    ["sockets a helper made", "helper"],
  ])(
    "when we are killed whose %s, nothing gets out of what we leave, and the next one removes it",
    async (_name, way) => {
      const project = yard.makeDirectory("project");
      const directories = ["state", "run"].map((name) => join(yard.directory, name));
      const argv = [
        process.execPath,
        join(import.meta.dirname, "docker-engine.ts"),
        ...directories,
        `unix://${rig.socketPath}`,
        IMAGE,
        project,
        way,
      ];
      const engine = spawnProcess(argv, { stdio: ["ignore", "pipe", "inherit"] });
      assert(engine.stdout !== null, "no output");
      const exited = once(engine, "exit");
      const ready = once(engine.stdout, "data");
      assert(await Promise.race([ready, exited.then(() => false)]), "it ended by itself");
      engine.kill("SIGKILL");
      await exited;
      const [id = ""] = (await rig.docker("ps", "--quiet")).split("\n");
      const attempt = "curl -sS -m 20 http://1.1.1.1/; echo $?; getent hosts example.com; echo $?";
      const said = await rig.docker("exec", id, "sh", "-c", attempt);
      // 7: refused at once; 2: no such name.
      expect(said.split("\n")).toEqual(["7", "2"]);
      expect(await yard.provider.reap(new Set(["one"]))).toEqual([]);
      expect(await rig.count()).toEqual(NOTHING);
      const again = await yard.startAgain(
        yard.specify({ id: "one", workspace: { path: project, mode: "direct" } }),
      );
      expect(await answer(again, "cat ~/f && pwd")).toBe(`kept\n${project}`);
      await again.stop();
      await yard.provider.destroy("one");
    },
  );

  test("what a program writes arrives whole, at its end and to a slow reader, under load", async () => {
    const sandbox = await yard.start();
    const bytes = 4 * 2 ** 20;
    const script = `head -c ${bytes} /dev/zero; printf 'the last byte'; exit 7`;
    const load = [1, 2].map(() => spawnProcess(["sh", "-c", "while :; do :; done"]));
    try {
      for (const terminal of [undefined, { columns: 80, rows: 24, rawOutput: true }]) {
        for (let index = 0; index < 5; index += 1) {
          const outcome = await run(sandbox, ["sh", "-c", script], terminal && { terminal });
          expect(outcome.code).toBe(7);
          expect(outcome.output.length).toBe(bytes + "the last byte".length);
          expect(outcome.output.endsWith("\0the last byte")).toBe(true);
        }
      }
      const slow = await sandbox.exec({ argv: ["sh", "-c", script] }, NEVER);
      // Longer than the engine keeps what nobody reads, once the program has ended.
      await delay(5000);
      let received = 0;
      for await (const chunk of slow.output) received += (chunk as Buffer).length;
      expect(await slow.ended).toEqual({ kind: "exited", code: 7 });
      expect(received).toBe(bytes + "the last byte".length);
    } finally {
      for (const each of load) each.kill("SIGKILL");
    }
  });

  test("a full disk of ours or the engine's is told as such", async () => {
    const small = join(rig.directory, "small");
    await runProcess(["mkdir", small]);
    await runProcess(["mount", "-t", "tmpfs", "-o", "size=320m", "tmpfs", small]);
    const crowded = await DockerRig.open({}, small);
    try {
      await runProcess(["sh", "-c", `cat /dev/zero >${crowded.directory}/d/data/filler`]);
      const error = await startOn(`unix://${crowded.socketPath}`);
      expect(error).toMatchObject({ code: "DISK_FULL" });
      writeFileSync(join(crowded.directory, "d/data/filler"), "");
      expect((await crowded.count()).containers).toBe(0);
    } finally {
      await crowded[Symbol.asyncDispose]();
      await runProcess(["umount", small]);
    }
  });
});
