/** The program that hands sockets out, in a network of its own, without any provider around it. */
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { assert } from "../../src/errors/error.ts";
import { closeAll, DescriptorInbox } from "../../src/platform/descriptor-inbox.ts";
import type { DescriptorMessage } from "../../src/platform/native/descriptor-message.ts";
import { readOriginalDestination } from "../../src/platform/native/original-destination.ts";
import { runProcess, spawnProcess, type ChildProcess } from "../../src/platform/process.ts";
import { CLOSED, HANDED, handingCommand } from "../../src/sandbox/capture/handing-program.ts";
import { openCaptureSockets, openConnection } from "../../src/sandbox/capture/sockets.ts";
import { allOf, program, root } from "../support/requirement.ts";

const NEEDED = allOf(root(), ...["perl", "unshare", "nsenter", "setpriv", "ip"].map(program));

describe.skipIf(!NEEDED.met)(NEEDED.title("the program that hands sockets out"), () => {
  let directory: string;
  let network: ChildProcess;
  let inbox: DescriptorInbox;
  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), "cg-handing-"));
    inbox = await DescriptorInbox.open(join(directory, "s"));
    network = spawnProcess(["unshare", "--net", "sh", "-c", "echo made; exec cat"], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    assert(network.stdout !== null, "no output");
    await once(network.stdout, "data");
  });
  afterEach(async () => {
    inbox.close();
    const ended = once(network, "exit");
    network.stdin?.end();
    await ended;
    rmSync(directory, { recursive: true });
  });

  const inside = (...argv: readonly string[]): Promise<{ stdout: string }> =>
    runProcess(["nsenter", `--net=/proc/${network.pid}/ns/net`, ...argv]);

  async function ask(port?: number, before: readonly string[] = []): Promise<DescriptorMessage> {
    const handing = inside(...before, ...handingCommand({ path: join(directory, "s"), port }));
    const message = await inbox.receive();
    await handing;
    return message;
  }

  test("lays the rules and gives the sockets at which everything lands", async () => {
    const { bytes, fds } = await ask();
    expect(String(bytes)).toBe(HANDED);
    const { tcp, udp } = openCaptureSockets(fds);
    const meant: unknown[] = [];
    tcp.on("connection", (socket: Socket) => {
      meant.push(readOriginalDestination(socket));
      socket.resume().end("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello");
    });
    try {
      for (const address of ["203.0.113.7", "[2001:db8::7]"]) {
        expect(await inside("curl", "-sS", "-m", "60", `http://${address}:81/`)).toMatchObject({
          stdout: "hello",
        });
      }
      expect(meant).toEqual([
        { address: "203.0.113.7", port: 81 },
        { address: "2001:db8:0:0:0:0:0:7", port: 81 },
      ]);
      expect(udp.length).toBe(2);
    } finally {
      tcp.close();
      for (const socket of udp) socket.close();
    }
  });

  test("gives a connection to a port inside, of either loopback, or says that nothing listens there", async () => {
    await inside("ip", "link", "set", "lo", "up");
    expect(await ask(7000)).toEqual({ bytes: Buffer.from(CLOSED), fds: [] });
    inbox.close();
    inbox = await DescriptorInbox.open(join(directory, "s"));
    const serve = `import socket; s = socket.create_server(("::1", 7000), family=socket.AF_INET6)
print("up", flush=True); s.accept()[0].sendall(b"hello")`;
    const enter = ["nsenter", `--net=/proc/${network.pid}/ns/net`, "/usr/bin/python3", "-c", serve];
    const server = spawnProcess(enter, { stdio: ["ignore", "pipe", "inherit"] });
    assert(server.stdout !== null, "no output");
    await once(server.stdout, "data");
    const { bytes, fds } = await ask(7000);
    expect(String(bytes)).toBe(HANDED);
    const [fd = -1] = fds;
    const socket = openConnection(fd);
    expect(String(await once(socket, "data"))).toBe("hello");
    socket.destroy();
  });

  test("gives nothing where there is another way out than loopback, and lays no rule there", async () => {
    await inside("ip", "link", "add", "aside", "type", "veth");
    const { bytes, fds } = await ask();
    closeAll(fds);
    expect(String(bytes)).toMatch(/more than a loopback interface: .*aside/);
    expect(fds).toEqual([]);
    expect((await inside("ip", "-o", "link", "show", "up")).stdout).toBe("");
  });

  test("gives nothing where the kernel does not take the rules", async () => {
    const { bytes, fds } = await ask(undefined, ["setpriv", "--bounding-set=-net_admin"]);
    closeAll(fds);
    expect(String(bytes)).toBe("its kernel refused the rules: Operation not permitted");
    expect(fds).toEqual([]);
  });
});
