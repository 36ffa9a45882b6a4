/** A relay carries what the kernel would, exactly, and when either end of it dies nothing gets out. */
import { deepEqual } from "node:assert";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { openGateway, type Gateway } from "../../src/egress/gateway.ts";
import { parseMirrors } from "../../src/egress/mirrors.ts";
import { assert } from "../../src/errors/error.ts";
import { spawnProcess } from "../../src/platform/process.ts";
import type { CaptureSockets } from "../../src/sandbox/capture/capture-sockets.ts";
import type { RunningSandbox } from "../../src/sandbox/provider.ts";
import { createDockerProvider } from "../../src/sandbox/providers/docker/provider.ts";
import { describeCapture } from "../../src/testing/conformance/capture.ts";
import { describePorts } from "../../src/testing/conformance/ports.ts";
import {
  answer,
  NEVER,
  run,
  SandboxYard,
  type MakeProvider,
  type Subject,
} from "../../src/testing/conformance/sandbox-yard.ts";
import { DOCKER, DockerRig, IMAGE } from "../support/docker-rig.ts";
import { policyOf } from "../support/gateway-rig.ts";
import { requirement } from "../support/requirement.ts";

const opened = await DockerRig.forFile();
const makeProvider: MakeProvider = (directories) => {
  assert(opened !== undefined, "no engine");
  return opened.provider(directories, "relay");
};
const NOTHING = { containers: 0, volumes: 0, networks: 2 };
const BOOT_ID = "/proc/sys/kernel/random/boot_id";
const LARGE_BYTES = 24 * 2 ** 20;

/** Sends as many bytes as it is told, half closes, and says what came back. */
const ECHO_CLIENT = `
import hashlib, socket, sys, threading
count = int(sys.argv[1]); sent, came = hashlib.sha256(), hashlib.sha256()
s = socket.create_connection(("echo.example", 7000))
def send():
    left = count
    while left:
        part = bytes((left + i) % 251 for i in range(1000)) * 65
        part = part[:left]; s.sendall(part); sent.update(part); left -= len(part)
    s.shutdown(socket.SHUT_WR)
t = threading.Thread(target=send); t.start(); received = 0
while True:
    part = s.recv(65536)
    if not part: break
    came.update(part); received += len(part)
t.join(); print(received, sent.hexdigest() == came.hexdigest())`;

/** Reads nothing for a while, then everything. */
const SLOW_CLIENT = `
import hashlib, socket, sys, time
s = socket.create_connection(("source.example", 7001)); time.sleep(1); came, received = hashlib.sha256(), 0
while True:
    part = s.recv(65536)
    if not part: break
    came.update(part); received += len(part)
print(received, came.hexdigest())`;

describe.skipIf(!DOCKER.met)(DOCKER.title("a sandbox behind a relay"), () => {
  let rig: DockerRig;
  let yard: SandboxYard;
  let echo: Server;
  let source: Server;
  const gateways: Gateway[] = [];
  const content = Buffer.alloc(LARGE_BYTES, "0123456789abcdef-");
  let sourceAt = (_socket: Socket): void => undefined;

  beforeAll(async () => {
    echo = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on("error", () => undefined).pipe(socket);
    });
    source = createServer((socket) => {
      sourceAt(socket);
      socket.on("error", () => undefined).end(content);
    });
    for (const server of [echo, source]) {
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
    }
  });
  beforeEach(() => {
    assert(opened !== undefined, "no engine");
    rig = opened;
    yard = new SandboxYard(makeProvider);
  });
  afterEach(async () => {
    await Promise.all(gateways.splice(0).map((gateway) => gateway.close()));
    await yard.close();
    deepEqual(await rig.count(), NOTHING);
  });
  afterAll(() => {
    for (const server of [echo, source]) server.close();
  });

  const portOf = (server: Server): number => (server.address() as AddressInfo).port;

  async function start(): Promise<RunningSandbox> {
    const specification = yard.specify();
    const onCapture = (sockets: CaptureSockets): void => {
      const mirrors = `echo.example:7000=127.0.0.1:${portOf(echo)},source.example:7001=127.0.0.1:${portOf(source)}`;
      gateways.push(
        openGateway({
          sandboxId: specification.id,
          sandboxName: specification.name,
          sockets,
          policy: policyOf({ preset: "open" }),
          mirrors: parseMirrors(mirrors),
          record: () => undefined,
        }),
      );
    };
    await yard.provider.create(specification, NEVER);
    return yard.provider.start(specification, { onCapture }, NEVER);
  }

  const python = (sandbox: RunningSandbox, script: string, ...rest: string[]): Promise<string> =>
    run(sandbox, ["/usr/bin/python3", "-c", script, ...rest]).then(({ output, errors }) =>
      `${output}${errors}`.trim(),
    );

  test("says so, and under the rules that one has whose network is entered, or was by a helper", async () => {
    const entered = new SandboxYard((directories) => rig.provider(directories));
    const helped = new SandboxYard((directories) => rig.provider(directories, "helper"));
    try {
      const started = await Promise.all([yard, entered, helped].map((each) => each.start()));
      const said = started.map(({ facts }) => facts["egress"]);
      expect(said).toEqual([
        expect.stringContaining("relay container"),
        expect.stringContaining("entering"),
        expect.stringContaining("short-lived container"),
      ]);
      const list = async (): Promise<readonly string[]> => {
        const running = await rig.docker("ps", "--format", "{{.ID}} {{.Names}}");
        const ids = running
          .split("\n")
          .filter((line) => line !== "" && !/-(relay|helper)-/.test(line))
          .map((line) => line.split(" ", 1)[0] ?? "");
        const inside = ["--cap-add=NET_ADMIN", "--entrypoint=sh", IMAGE, "-c"];
        const script =
          "nft list ruleset; ip route show table local; ip -6 route show table local; ip -o addr";
        const joined = ids.map((id) =>
          rig.docker("run", "--rm", `--network=container:${id}`, ...inside, script),
        );
        return Promise.all(joined);
      };
      const rules = await list();
      expect(rules.length).toBe(3);
      expect(rules[0]).toContain("redirect to :53");
      expect(new Set(rules).size).toBe(1);
    } finally {
      await Promise.all([entered, helped].map((each) => each.close()));
    }
  });

  test("sends and receives at once and whole, ends each half by itself, and waits for a slow reader", async () => {
    const sandbox = await start();
    const wanted = createHash("sha256").update(content).digest("hex");
    const [both, slow] = await Promise.all([
      python(sandbox, ECHO_CLIENT, String(LARGE_BYTES)),
      python(sandbox, SLOW_CLIENT),
    ]);
    expect(both).toBe(`${LARGE_BYTES} True`);
    expect(slow).toBe(`${LARGE_BYTES} ${wanted}`);
  });

  test("many connections at once are kept apart", async () => {
    const sandbox = await start();
    const outcomes = await Promise.all(
      Array.from({ length: 12 }, (_, index) =>
        python(sandbox, ECHO_CLIENT, String(100_000 + index)),
      ),
    );
    expect(outcomes).toEqual(Array.from({ length: 12 }, (_, index) => `${100_000 + index} True`));
  });

  test("a reset goes both ways", async () => {
    const sandbox = await start();
    const broken = Promise.withResolvers<boolean>();
    sourceAt = (socket) => {
      socket.once("close", (hadError) => broken.resolve(hadError));
    };
    const script = `
import socket, struct
s = socket.create_connection(("source.example", 7001)); s.recv(10)
s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)); s.close(); print("gone")`;
    expect(await python(sandbox, script)).toBe("gone");
    expect(await broken.promise).toBe(true);
    sourceAt = (socket) => void socket.resetAndDestroy();
    const wait = `
import socket
s = socket.create_connection(("source.example", 7001))
try: print(len(s.recv(10)))
except ConnectionResetError: print("reset")`;
    expect(await python(sandbox, wait)).toBe("reset");
    sourceAt = () => undefined;
  });

  test("when the relay is killed the sandbox has died, its programs first lose all connections, and it starts again", async () => {
    const specification = yard.specify();
    await yard.provider.create(specification, NEVER);
    const sandbox = await yard.startAgain(specification);
    const [id = ""] = (await rig.docker("ps", "--quiet", "--filter", "name=relay")).split("\n");
    await rig.docker("kill", id);
    expect(await sandbox.ended).toMatchObject({
      kind: "died",
      reason: expect.stringContaining("relay"),
    });
    const again = await yard.startAgain(specification);
    expect(await answer(again, "echo up")).toBe("up");
    await again.stop();
    await yard.provider.destroy(specification.id);
  });

  test("when we are killed the relay ends, nothing gets out, and the next one removes what is left", async () => {
    const argv = [
      process.execPath,
      join(import.meta.dirname, "docker-engine.ts"),
      ...["state", "run"].map((name) => join(yard.directory, name)),
      `unix://${rig.socketPath}`,
      IMAGE,
      yard.makeDirectory("project"),
      "relay",
    ];
    const engine = spawnProcess(argv, { stdio: ["ignore", "pipe", "inherit"] });
    assert(engine.stdout !== null, "no output");
    await once(engine.stdout, "data");
    const exited = once(engine, "exit");
    engine.kill("SIGKILL");
    await exited;
    const relays = ["ps", "--quiet", "--filter", "name=relay"] as const;
    await expect.poll(() => rig.docker(...relays), { timeout: 20_000 }).toBe("");
    const [id = ""] = (await rig.docker("ps", "--quiet")).split("\n");
    const attempt = "curl -sS -m 20 http://1.1.1.1/; echo $?; getent hosts example.com; echo $?";
    const said = await rig.docker("exec", id, "sh", "-c", attempt);
    expect(said.split("\n")).toEqual(["7", "2"]);
    await yard.provider.reap(new Set(["one"]));
    expect(await rig.count()).toEqual(NOTHING);
    await yard.provider.destroy("one");
  });

  test("an image in which a relay cannot run is refused, and nothing is left; a helper brings this machine's", async () => {
    const context = yard.makeDirectory("context");
    const dockerfile = `FROM ${IMAGE}\nRUN rm -f /usr/bin/perl*\n`;
    writeFileSync(join(context, "Dockerfile"), dockerfile);
    await rig.docker("build", "--network=none", "--tag=without-perl", context);
    const makeBy =
      (way: "relay" | "helper"): MakeProvider =>
      (directories) =>
        createDockerProvider({
          ...directories,
          host: `unix://${rig.socketPath}`,
          image: "without-perl",
          way,
        });
    const relayed = new SandboxYard(makeBy("relay"));
    const helped = new SandboxYard(makeBy("helper"));
    try {
      expect(await relayed.start().catch((error: unknown) => error)).toMatchObject({
        code: "IMAGE_UNSUITABLE",
        hint: expect.stringContaining("perl"),
      });
      expect(await answer(await helped.start(), "echo up")).toBe("up");
    } finally {
      await Promise.all([relayed, helped].map((each) => each.close()));
    }
  });

  /** From where no container's processes are seen, as from beside an engine in a namespace of its own. */
  test.each([
    ["is not where the kernel has this machine's boot id", "true", "a short-lived container"],
    ["is where it has another", `mount --bind "$0" ${BOOT_ID}`, "a relay container"],
  ])("%s", async (_title, prepare, way) => {
    const other = join(yard.directory, "boot-id");
    writeFileSync(other, "00000000-0000-4000-8000-000000000000\n");
    const apart = "unshare --mount --pid --fork --kill-child --mount-proc sh -c".split(" ");
    const argv = [
      ...apart,
      `${prepare} && exec "$@"`,
      other,
      process.execPath,
      join(import.meta.dirname, "docker-engine.ts"),
      join(yard.directory, "state"),
      join(yard.directory, "run"),
      `unix://${rig.socketPath}`,
      IMAGE,
      "",
    ];
    const engine = spawnProcess(argv, { stdio: ["ignore", "pipe", "inherit"] });
    assert(engine.stdout !== null, "no output");
    const exited = once(engine, "exit");
    const [said] = await Promise.race([once(engine.stdout, "data"), exited]);
    engine.kill("SIGKILL");
    await exited;
    expect(String(said)).toContain(`egress enforced: ${way}`);
    await yard.provider.reap(new Set());
  });
});

describe.skipIf(!DOCKER.met)(DOCKER.title("the network of a sandbox behind a relay"), () => {
  const subject: Subject = {
    makeProvider,
    kernel: "host",
    home: "/home/agent",
    mode: "direct",
    limits: requirement("limits", () => undefined),
    differences: [],
  };
  describeCapture(subject);
  describePorts(subject);
});
