import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer as createTlsServer } from "node:tls";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createCertificates } from "../../../simulator/cloud/certificate.ts";
import { expectRefused, readToEnd, type RigOptions } from "../../../test/support/gateway-rig.ts";
import { INSPECTED, openInspectionYard } from "../../../test/support/inspection-yard.ts";
import { HostTrust } from "../inspection/host-trust.ts";
import { ProxyCredentials, type CredentialSource } from "./credentials.ts";
import { createUpstream, type Upstream } from "./tunnel.ts";
import { readUpstream } from "./upstream-file.ts";

const yard = openInspectionYard();
const SECRET = "ada:s3cret word";
let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "cattlegrid-upstream-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

interface Proxy {
  port: number;
  /** The CONNECT heads it was sent. */
  heads: string[];
}

/** A proxy that takes every CONNECT to the server at `target`, if the credentials are right. */
async function openProxy(
  target: number,
  options: { answer?: string; secret?: string; tls?: { key: string; cert: string } } = {},
): Promise<Proxy> {
  const heads: string[] = [];
  const sockets = new Set<Socket>();
  const serve = (client: Socket): void => {
    sockets.add(client);
    client.on("error", () => undefined);
    client.once("data", (bytes: Buffer) => {
      const head = bytes.toString();
      heads.push(head);
      const basic = Buffer.from(options.secret ?? "").toString("base64");
      const isKnown = options.secret === undefined || head.includes(`Basic ${basic}\r\n`);
      if (!isKnown) {
        client.end("HTTP/1.1 407 No\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n");
        return;
      }
      client.write(options.answer ?? "HTTP/1.1 200 Established\r\n\r\n");
      if (options.answer !== undefined) return;
      const server = connect(target, "127.0.0.1");
      server.on("error", () => client.destroy());
      client.pipe(server).pipe(client);
    });
  };
  const server =
    options.tls === undefined ? createServer(serve) : createTlsServer(options.tls, serve);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  yard.keep(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return { port: (server.address() as AddressInfo).port, heads };
}

function write(text: string): string {
  const path = join(directory, "upstream.yaml");
  writeFileSync(path, text);
  return path;
}

function upstreamOf(text: string, environment = {}): Upstream {
  const proxy = readUpstream([write(text)]);
  if (proxy === undefined) throw new TypeError("no proxy was read");
  const credentials =
    proxy.credentials &&
    new ProxyCredentials(proxy.credentials, { ...process.env, ...environment });
  return createUpstream(proxy, { credentials, trust: new HostTrust() });
}

const PUBLIC = { "a.example": ["93.184.215.14"], "inside.example": ["10.0.0.1"] };
const ALLOWED: RigOptions = { allow: ["a.example:22"], addresses: PUBLIC };

describe("with an upstream proxy, an allowed connection", () => {
  test("goes to it by name, and nowhere else", async () => {
    const peer = await yard.peer((socket) => socket.end("welcome"));
    const proxy = await openProxy(peer.port);
    const upstream = upstreamOf(`proxy: http://127.0.0.1:${proxy.port}`);
    const rig = await yard.rig({ ...ALLOWED, upstream });
    const client = await rig.connect("a.example", 22);
    expect(await readToEnd(client)).toMatchObject({ received: "welcome" });
    expect(proxy.heads).toEqual(["CONNECT a.example:22 HTTP/1.1\r\nHost: a.example:22\r\n\r\n"]);
    const named = `127.0.0.1:${proxy.port}`;
    expect(await rig.recorded({ kind: "connect" })).toMatchObject({
      action: "allow",
      upstream: named,
    });
  });

  test.each<[string, (secret: string) => CredentialSource]>([
    ["a file", (path) => ({ file: path })],
    ["a variable", () => ({ environment: "CATTLEGRID_UPSTREAM_SECRET" })],
    ["a command", (path) => ({ command: ["cat", path] })],
  ])("shows the proxy credentials from %s, and shows them nobody else", async (_what, source) => {
    const peer = await yard.peer((socket) => socket.end("welcome"));
    const proxy = await openProxy(peer.port, { secret: SECRET });
    const path = join(directory, "secret");
    writeFileSync(path, `${SECRET}\n`);
    const yaml = `proxy: http://127.0.0.1:${proxy.port}\ncredentials: ${JSON.stringify(source(path))}`;
    const upstream = upstreamOf(yaml, { CATTLEGRID_UPSTREAM_SECRET: SECRET });
    const rig = await yard.rig({ ...ALLOWED, upstream });
    expect(await readToEnd(await rig.connect("a.example", 22))).toMatchObject({
      received: "welcome",
    });
    const shown = JSON.stringify([rig.records, upstream]);
    for (const secret of [SECRET, "s3cret", Buffer.from(SECRET).toString("base64")]) {
      expect(shown).not.toContain(secret);
    }
  });

  test("is still denied when its address is not granted, and excepted ones are dialled directly", async () => {
    const peer = await yard.peer((socket) => socket.end("direct"));
    const proxy = await openProxy(1);
    const upstream = upstreamOf(
      `proxy: http://127.0.0.1:${proxy.port}\nexcept: ["*.near.example", 127.0.0.0/8]`,
    );
    const allow = [
      `inside.example:${peer.port},opaque`,
      `b.near.example:${peer.port},opaque,127.0.0.1`,
    ];
    const addresses = { ...PUBLIC, "b.near.example": ["127.0.0.1"] };
    const rig = await yard.rig({ allow, addresses, upstream });
    await expectRefused(await rig.connect("inside.example", peer.port));
    await rig.recorded({ reasonCode: "address-not-allowed" });
    const direct = await rig.connect("b.near.example", peer.port);
    expect(await readToEnd(direct)).toMatchObject({ received: "direct" });
    expect(proxy.heads).toEqual([]);
  });

  test("goes there unresolved only where the operator said so, and the rule grants public addresses", async () => {
    const peer = await yard.peer((socket) => socket.end("welcome"));
    const proxy = await openProxy(peer.port);
    const yaml = `proxy: http://127.0.0.1:${proxy.port}`;
    const allow = ["far.example:22", "own.example:22,private"];
    const here = await yard.rig({ allow, upstream: upstreamOf(yaml) });
    await expectRefused(await here.connect("far.example", 22));
    await here.recorded({ action: "error", reasonCode: "unreachable" });
    const there = await yard.rig({ allow, upstream: upstreamOf(`${yaml}\nresolve: proxy`) });
    expect((await readToEnd(await there.connect("far.example", 22))).received).toBe("welcome");
    await expectRefused(await there.connect("own.example", 22));
    expect(proxy.heads).toHaveLength(1);
  });

  test("is inspected there too, and a server that the proxy's authority vouches for is believed", async () => {
    const server = await yard.server((_request, response) => response.end("welcome"));
    const proxy = await openProxy(server.port);
    writeFileSync(join(directory, "ca.pem"), server.authority);
    const yaml = `proxy: http://127.0.0.1:${proxy.port}`;
    const options = {
      allow: [`${INSPECTED}/public/**`],
      addresses: { [INSPECTED]: ["93.184.215.14"] },
      mirrors: "",
    };
    const ask = async (text: string, path: string): Promise<string> => {
      const rig = await yard.inspectingRig(server, { ...options, upstream: upstreamOf(text) });
      const client = await rig.open({ protocols: ["http/1.1"] });
      const fields = `Host: ${INSPECTED}\r\nConnection: close`;
      client.write(`GET ${path} HTTP/1.1\r\n${fields}\r\n\r\n`);
      return (await readToEnd(client)).received;
    };
    const trusting = `${yaml}\ncertificates: ca.pem`;
    expect(await ask(trusting, "/public/a")).toContain("welcome");
    expect(await ask(trusting, "/private/a")).toContain("403 Forbidden");
    expect(await ask(yaml, "/public/a")).toContain("502 Bad Gateway");
  });

  test("speaks TLS with a proxy that proves its name, and with no other", async () => {
    const peer = await yard.peer((socket) => socket.end("welcome"));
    const { authority, privateKey: key, certificate: cert } = createCertificates(["localhost"]);
    const proxy = await openProxy(peer.port, { tls: { key, cert } });
    writeFileSync(join(directory, "ca.pem"), authority);
    const yaml = `proxy: https://localhost:${proxy.port}`;
    const trusting = upstreamOf(`${yaml}\ncertificates: ca.pem`);
    const rig = await yard.rig({ ...ALLOWED, upstream: trusting });
    expect((await readToEnd(await rig.connect("a.example", 22))).received).toBe("welcome");
    const wary = await yard.rig({ ...ALLOWED, upstream: upstreamOf(yaml) });
    await expectRefused(await wary.connect("a.example", 22));
    await wary.recorded({ reasonCode: "upstream-failed" });
    expect(proxy.heads).toHaveLength(1);
  });
});

describe("an upstream proxy fails closed", () => {
  test.each<[string, { answer?: string; secret?: string }, RegExp]>([
    [
      "asks for credentials that it was not given",
      { secret: SECRET },
      /none are configured \(407\)/,
    ],
    [
      "refuses",
      { answer: "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n" },
      /refuses the connection \(403\)/,
    ],
    ["does not speak HTTP", { answer: "SSH-2.0-x\r\n\r\n" }, /its answer is not HTTP\/1/],
  ])("when it %s", async (_what, options, reason) => {
    const peer = await yard.peer();
    const proxy = await openProxy(peer.port, options);
    const upstream = upstreamOf(`proxy: http://127.0.0.1:${proxy.port}`);
    const rig = await yard.rig({ ...ALLOWED, upstream });
    await expectRefused(await rig.connect("a.example", 22));
    const record = await rig.recorded({ reasonCode: "upstream-failed", action: "error" });
    expect(record.reason).toMatch(reason);
    expect(peer.connections).toBe(0);
  });

  test("when it is down, and works again when it is back with other credentials", async () => {
    const peer = await yard.peer((socket) => socket.end("welcome"));
    const path = join(directory, "secret");
    writeFileSync(path, "ada:old\n");
    const proxy = await openProxy(peer.port, { secret: SECRET });
    const upstream = upstreamOf(
      `proxy: http://127.0.0.1:${proxy.port}\ncredentials: { file: ${path} }`,
    );
    const rig = await yard.rig({ ...ALLOWED, upstream });
    await expectRefused(await rig.connect("a.example", 22));
    const record = await rig.recorded({ reasonCode: "upstream-failed" });
    expect(record.reason).toContain("does not accept the credentials that are configured (407)");
    expect(record.reason).not.toContain("old");
    writeFileSync(path, SECRET);
    expect((await readToEnd(await rig.connect("a.example", 22))).received).toBe("welcome");
    const down = await yard.rig({ ...ALLOWED, upstream: upstreamOf("proxy: http://127.0.0.1:1") });
    await expectRefused(await down.connect("a.example", 22));
    const gone = await down.recorded({ reasonCode: "upstream-failed" });
    expect(gone.reason).toContain("cannot be reached");
  });

  test.each([
    ["the file is not there", { file: "/nonexistent/secret" }, /cannot be read \(ENOENT\)/],
    ["the variable is not set", { environment: "CATTLEGRID_UPSTREAM_X" }, /has no variable/],
    ["the command fails", { command: ["false"] }, /ended with 1/],
    ["the command is not there", { command: ["/nonexistent"] }, /failed/],
    [
      "it is not a user and a password",
      { command: ["echo", "secret"] },
      /not one line USER:PASSWORD/,
    ],
  ])("when of its credentials %s", async (_what, source, reason) => {
    const peer = await yard.peer();
    const yaml = `proxy: http://127.0.0.1:${peer.port}\ncredentials: ${JSON.stringify(source)}`;
    const rig = await yard.rig({ ...ALLOWED, upstream: upstreamOf(yaml) });
    await expectRefused(await rig.connect("a.example", 22));
    expect((await rig.recorded({ reasonCode: "upstream-failed" })).reason).toMatch(reason);
    expect(peer.connections).toBe(0);
  });

  test.each([
    ["no YAML", "proxy: [", /not YAML/],
    ["another scheme", "proxy: socks5://proxy:1080", /is not http:\/\/HOST:PORT/],
    ["credentials in the address", "proxy: http://ada:hunter2@proxy:3128", /holds credentials/],
    ["a path", "proxy: http://proxy:3128/x", /more than a host and a port/],
    ["an unknown key", "proxy: http://proxy\nexclude: []", /exclude/],
    [
      "a secret in place of its source",
      "proxy: http://proxy\ncredentials: ada:hunter2",
      /credentials/,
    ],
    ["an exception that is no host", "proxy: http://proxy\nexcept: ['a b']", /except/],
    [
      "certificates that are not there",
      "proxy: http://proxy\ncertificates: no.pem",
      /no certificate/,
    ],
    ["nothing", "", /expected object/i],
  ])("when its file holds %s", (_what, text, problem) => {
    const path = write(text);
    const read = (): unknown => readUpstream([join(directory, "absent.yaml"), path]);
    expect(read).toThrow(expect.objectContaining({ code: "UPSTREAM_INVALID" }));
    expect(read).toThrow(problem);
    expect(read).not.toThrow(/hunter2/);
  });

  test("but no file is no proxy", () => {
    expect(readUpstream([join(directory, "absent.yaml")])).toBeUndefined();
  });
});
