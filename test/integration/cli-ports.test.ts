import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, connect, type Socket } from "node:net";
import { networkInterfaces } from "node:os";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { PublishedPort } from "../../src/protocol/port.ts";
import type { Sandbox } from "../../src/protocol/sandbox.ts";
import { CommandLine, type CommandResult } from "../support/command-line.ts";
import { allOf, program } from "../support/requirement.ts";

const needs = allOf(program("crun"), program("python3"));

/** Answers each connection with what it got, once the other side has ended its half. */
const SERVER = `
import socketserver, sys, socket
class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        parts = []
        while True:
            part = self.request.recv(65536)
            if not part: break
            parts.append(part)
        self.request.sendall(b"got:" + b"".join(parts))
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128
    address_family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
Server((sys.argv[1], int(sys.argv[2])), Echo).serve_forever()
`;

describe.skipIf(!needs.met)(needs.title("ports"), () => {
  let cli: CommandLine;

  const ports = (...words: string[]): Promise<CommandResult> => cli.run(["ports", ...words]);
  const codeOf = ({ code, stderr }: CommandResult): unknown[] => [
    code,
    /code: (\S+)/.exec(stderr)?.[1],
  ];
  const publish = async (specification: string): Promise<PublishedPort> => {
    const { stdout } = await ports("publish", "--json", "box", specification);
    return (JSON.parse(stdout) as { ports: PublishedPort[] }).ports[0]!;
  };
  const serve = async (address: string, port: number): Promise<void> => {
    const start = 'nohup python3 -c "$1" "$2" "$3" >/dev/null 2>&1 &';
    const wait =
      'for i in $(seq 500); do grep -q ":$(printf %04X $3) .* 0A" /proc/net/tcp /proc/net/tcp6 && exit; sleep 0.05; done; exit 1';
    const argv = ["sh", "-c", `${start} ${wait}`, "sh", SERVER, address, String(port)];
    expect((await cli.run(["exec", "box", "--", ...argv])).code).toBe(0);
  };
  const talk = async (port: number, bytes: Buffer): Promise<Buffer> => {
    const socket = connect({ host: "127.0.0.1", port, allowHalfOpen: true });
    socket.end(bytes);
    const parts: Buffer[] = [];
    for await (const part of socket) parts.push(part as Buffer);
    return Buffer.concat(parts);
  };
  const refusal = async (socket: Socket): Promise<unknown> => {
    const [error] = (await once(socket.resume(), "close").then(
      () => [undefined],
      (thrown: unknown) => [thrown],
    )) as [NodeJS.ErrnoException | undefined];
    return error?.code;
  };

  beforeAll(async () => {
    cli = new CommandLine();
    await cli.run(["run", "shell", "--name", "box", "--", "-c", "true"]);
    await Promise.all([serve("127.0.0.1", 3000), serve("::1", 3001)]);
  });
  afterAll(() => cli.close());

  test.each([
    ["IPv4", 3000],
    ["IPv6 alone", 3001],
  ])("a published port reaches what listens inside on %s, byte for byte", async (_title, port) => {
    const { hostAddress, hostPort } = await publish(`:${port}`);
    const bytes = Buffer.from(Array.from({ length: 1_000_000 }, (_, at) => (at * 13) % 251));
    const answer = await talk(hostPort, bytes);
    const sum = (data: Buffer): string => createHash("sha256").update(data).digest("hex");
    expect([hostAddress, sum(answer.subarray(4))]).toEqual(["127.0.0.1", sum(bytes)]);
  });

  test("a hundred connections at once each get their own answer", async () => {
    const { hostPort } = await publish(":3000");
    const texts = Array.from({ length: 100 }, (_, index) => `message ${index}`);
    const answers = await Promise.all(texts.map((text) => talk(hostPort, Buffer.from(text))));
    expect(answers.map(String)).toEqual(texts.map((text) => `got:${text}`));
  });

  test("listens on the loopback address and on no other", async () => {
    const { hostPort } = await publish(":3000");
    const others = Object.values(networkInterfaces())
      .flatMap((each) => each ?? [])
      .filter(({ internal, family }) => !internal && family === "IPv4")
      .map(({ address }) => address);
    for (const host of ["127.0.0.2", ...others]) {
      expect(await refusal(connect({ host, port: hostPort }))).toBe("ECONNREFUSED");
    }
  });

  test("a connection to a port where nothing listens is reset, and recorded with why", async () => {
    const { hostPort } = await publish(":3999");
    expect(await refusal(connect({ host: "127.0.0.1", port: hostPort }))).toBe("ECONNRESET");
    await expect
      .poll(async () => (await cli.run(["logs", "box", "--egress", "--json"])).stdout, {
        timeout: 20_000,
      })
      .toMatch(/"kind":"port".*"port":3999.*"unreachable"/);
  });

  test("are listed, closed with their connections, and shown by ls and inspect", async () => {
    const { hostPort } = await publish(":3000");
    const open = connect({ host: "127.0.0.1", port: hostPort });
    await once(open, "connect");
    const line = new RegExp(`^127\\.0\\.0\\.1:${hostPort} +3000 `, "m");
    expect((await ports("box")).stdout).toMatch(line);
    expect((await cli.run(["ls"])).stdout).toContain(`${hostPort}:3000`);
    const shown = JSON.parse((await cli.run(["inspect", "box", "--json"])).stdout) as Sandbox;
    expect(shown.ports).toContainEqual(expect.objectContaining({ hostPort, port: 3000 }));
    const closed = refusal(open);
    expect((await ports("close", "box", String(hostPort))).code).toBe(0);
    expect(await closed).toBe("ECONNRESET");
    expect(await refusal(connect({ host: "127.0.0.1", port: hostPort }))).toBe("ECONNREFUSED");
    expect((await ports("box")).stdout).not.toMatch(line);
  });

  test("a port of this machine that is taken is refused", async () => {
    const taken = createServer().listen(0, "127.0.0.1");
    await once(taken, "listening");
    const { port } = taken.address() as { port: number };
    expect(codeOf(await ports("publish", "box", `${port}:3000`))).toEqual([125, "PORT_TAKEN"]);
    taken.close();
  });

  test.each([
    [["publish", "box"], "USAGE"],
    [["publish", "box", "0"], "USAGE"],
    [["publish", "box", "127.0.0.1:80:80"], "USAGE"],
    [["publish", "box", ":53"], "REQUEST_INVALID"],
    [["publish", "nowhere", ":80"], "SANDBOX_NOT_FOUND"],
    [["close", "box", "1"], "PORT_NOT_PUBLISHED"],
    [["open", "box"], "USAGE"],
  ])("%j has a code and a hint", async (words, code) => {
    expect(codeOf(await ports(...words))).toEqual([125, code]);
  });

  test("are gone when the sandbox stops, and a stopped one publishes none", async () => {
    const { hostPort } = await publish(":3000");
    expect((await cli.run(["stop", "box"])).code).toBe(0);
    expect(await refusal(connect({ host: "127.0.0.1", port: hostPort }))).toBe("ECONNREFUSED");
    expect(codeOf(await ports("publish", "box", ":3000"))).toEqual([125, "SANDBOX_NOT_RUNNING"]);
    expect((await ports("box")).stdout).toBe("");
  });
});
