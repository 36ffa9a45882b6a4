import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { collect, CommandLine } from "../support/command-line.ts";
import { OpenSsh, openSshNeeds } from "../support/openssh.ts";
import { allOf, program } from "../support/requirement.ts";

const HOST = "box.cattlegrid";
const needs = allOf(openSshNeeds, program("python3"));

/** Answers on 3000 with what it got, once the other side has ended its half. */
const ECHO = `
import socket
server = socket.create_server(("127.0.0.1", 3000), backlog=64)
while True:
    client = server.accept()[0]
    parts = b""
    while part := client.recv(65536): parts += part
    client.sendall(b"got:" + parts)
    client.close()
`;

describe.skipIf(!needs.met)(needs.title("OpenSSH and the ports of a sandbox"), () => {
  let cli: CommandLine;
  let ssh: OpenSsh;

  const freePort = async (): Promise<number> => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    server.close();
    return port;
  };
  const readAll = async (socket: Socket): Promise<string> => {
    const parts: Buffer[] = [];
    socket.on("error", () => undefined);
    socket.on("data", (part: Buffer) => parts.push(part));
    await once(socket, "close");
    return Buffer.concat(parts).toString();
  };
  const talk = (port: number, bytes: string): Promise<string> => {
    const socket = connect({ host: "127.0.0.1", port, allowHalfOpen: true });
    socket.end(bytes);
    return readAll(socket);
  };

  beforeAll(async () => {
    cli = new CommandLine();
    await cli.run(["run", "shell", "--name", "box", "--", "-c", "true"]);
    ssh = await OpenSsh.install(cli);
  });
  afterAll(() => cli.close());

  describe("forwarding leads", () => {
    beforeAll(async () => {
      await ssh.run([HOST, `nohup python3 -c '${ECHO}' >/dev/null 2>&1 &`]);
      const listens =
        'for i in $(seq 400); do grep -q ":0BB8 .* 0A" /proc/net/tcp && exit; sleep 0.05; done; exit 1';
      await ssh.run([HOST, listens]);
    });

    test("to the sandbox's own loopback, half open ends staying half open", async () => {
      const port = await freePort();
      await using _held = await ssh.hold(["-L", `${port}:127.0.0.1:3000`, HOST]);
      const text = "x".repeat(1_000_000);
      const answers = await Promise.all([text, "y", "z"].map((each) => talk(port, each)));
      expect(answers.map((answer) => answer.length)).toEqual([1_000_004, 5, 5]);
      const { stdout } = await cli.run(["logs", "box", "--egress", "--json"]);
      expect(stdout).toMatch(/"kind":"port".*"port":3000.*by a client of the API/);
    });

    test("and to no other destination: neither the world's nor the host's", async () => {
      const host = createServer((socket) => socket.end("host")).listen(0, "127.0.0.1");
      await once(host, "listening");
      const { port: hosts } = host.address() as AddressInfo;
      const [world, wrong, good] = [await freePort(), await freePort(), await freePort()];
      const argv = [
        "-L",
        `${world}:example.com:80`,
        "-L",
        `${wrong}:localhost:${hosts}`,
        "-L",
        `${good}:localhost:3000`,
      ];
      const held = await ssh.hold([...argv, HOST]);
      expect([await talk(world, ""), await talk(wrong, ""), await talk(good, "a")]).toEqual([
        "",
        "",
        "got:a",
      ]);
      await held[Symbol.asyncDispose]();
      host.close();
      expect(held.errors()).toMatch(/example\.com:80 is not forwarded to: only the sandbox's own/);
      expect(held.errors()).toMatch(/Nothing listens on port/);
    });

    test("and none from inside to the host", async () => {
      const argv = ["-o", "ExitOnForwardFailure=yes", "-R", "9000:127.0.0.1:22", HOST, "true"];
      expect(await ssh.run(argv)).toMatchObject({
        code: 255,
        stderr: expect.stringContaining("remote port forwarding failed"),
      });
    });

    test("and neither an agent nor a display", async () => {
      const environment = { SSH_AUTH_SOCK: join(cli.directory, "agent.sock"), DISPLAY: ":7" };
      const { stdout } = await ssh.run(["-A", "-X", HOST, 'echo "[$SSH_AUTH_SOCK$DISPLAY]"'], {
        environment,
      });
      expect(stdout).toBe("[]\n");
    });
  });

  /**
   * What VS Code's Remote-SSH does, with a server of ours in place of the one it downloads: a script on the standard input of `bash`,
   * which installs the server, starts it apart from itself and prints where it listens; a SOCKS proxy to reach it; the channel
   * stays as long as the window.
   */
  test("an editor installs its server by a script, reaches it by a proxy, and comes back to it", async () => {
    const script = `
set -e
mkdir -p "$HOME/.vscode-server/bin"
cat > "$HOME/.vscode-server/bin/server" <<'SERVER'
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"version " + self.path.encode())
    def log_message(self, *words): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print("listening on", server.server_port, flush=True)
server.serve_forever()
SERVER
log="$HOME/.vscode-server/log"
[ -f "$log" ] || nohup python3 "$HOME/.vscode-server/bin/server" > "$log" 2>&1 < /dev/null &
for _ in $(seq 400); do grep -q listening "$log" 2>/dev/null && break; sleep 0.05; done
echo "id: start"
echo "listeningOn==$(grep -o '[0-9]*' "$log")=="
echo "osReleaseId==$(. /etc/os-release; echo $ID)=="
echo "arch==$(uname -m)=="
echo "id: end"
`;
    const open = async (): Promise<{
      server: number;
      ask(path: string): Promise<string>;
      end(): Promise<void>;
    }> => {
      const proxy = await freePort();
      const child = ssh.spawn("ssh", ["-v", "-T", "-D", String(proxy), HOST, "bash"]);
      const result = collect(child);
      child.stdin?.write(script);
      let text = "";
      const told = Promise.withResolvers<void>();
      child.stdout?.on("data", (chunk: Buffer) => {
        text += chunk.toString();
        if (text.includes("id: end\n")) told.resolve();
      });
      void result.then(({ stderr }) => told.reject(new Error(`ssh ended: ${stderr}`)));
      await told.promise;
      const server = Number(/listeningOn==(\d+)==/.exec(text)?.[1]);
      return {
        server,
        ask: (path) => askThroughProxy({ proxy, server, path }),
        async end() {
          child.stdin?.end();
          await result;
        },
      };
    };
    const first = await open();
    expect(await first.ask("/version")).toMatch(/^HTTP\/1\.0 200 [^]*version \/version$/);
    const large = await Promise.all(
      Array.from({ length: 20 }, (_, index) => first.ask(`/${index}`)),
    );
    expect(large.map((answer, index) => answer.endsWith(`version /${index}`))).not.toContain(false);
    await first.end();
    const second = await open();
    expect(second.server).toBe(first.server);
    expect(await second.ask("/again")).toMatch(/version \/again$/);
    await second.end();
  });

  async function askThroughProxy(to: {
    proxy: number;
    server: number;
    path: string;
  }): Promise<string> {
    const socket = connect({ host: "127.0.0.1", port: to.proxy });
    const greeted = once(socket, "data");
    socket.write(Uint8Array.from([5, 1, 0]));
    await greeted;
    const connected = once(socket, "data");
    socket.write(Uint8Array.from([5, 1, 0, 1, 127, 0, 0, 1, to.server >> 8, to.server & 255]));
    const [reply] = (await connected) as [Buffer];
    expect([reply.length, reply[1]]).toEqual([10, 0]);
    socket.write(`GET ${to.path} HTTP/1.0\r\n\r\n`);
    return readAll(socket);
  }
});
