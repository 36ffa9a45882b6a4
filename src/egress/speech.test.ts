import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { connect as connectTls, createServer as createTlsServer } from "node:tls";
import { beforeEach, describe, expect, test } from "vitest";
import { createCertificates } from "../../simulator/cloud/certificate.ts";
import { LOCAL, openYard, readToEnd, type GatewayRig } from "../../test/support/gateway-rig.ts";

const yard = openYard();
const ACCESS_DENIED = "ERR_SSL_TLSV1_ALERT_ACCESS_DENIED";

const CERTIFICATES = createCertificates(["a.example", "b.example"]);

async function openTlsServer(): Promise<{ port: number; names: (string | false | null)[] }> {
  const names: (string | false | null)[] = [];
  const { privateKey: key, certificate: cert } = CERTIFICATES;
  const server = createTlsServer({ key, cert }, (socket) => {
    names.push(socket.servername);
    socket.on("error", () => undefined);
    socket.end("welcome");
  });
  server.on("tlsClientError", () => undefined);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  yard.keep(() => new Promise((resolve) => server.close(resolve)));
  return { port: (server.address() as AddressInfo).port, names };
}

/** What a TLS client gets that asks for `servername`. */
function speakTls(socket: Socket, servername: string): Promise<string> {
  const { authority: ca } = CERTIFICATES;
  const client = connectTls({ socket, servername, ca, checkServerIdentity: () => undefined });
  let received = "";
  client.on("data", (bytes: Buffer) => (received += bytes.toString()));
  return new Promise((resolve) => {
    client.on("error", (error: NodeJS.ErrnoException) => resolve(String(error.code)));
    client.on("end", () => {
      client.end();
      resolve(received);
    });
  });
}

describe("TLS", () => {
  let server: Awaited<ReturnType<typeof openTlsServer>>;
  let rig: GatewayRig;

  async function connectTo(words: string, name = "a.example"): Promise<Socket> {
    const allow = [`a.example:443,127.0.0.1${words}`, `b.example:443,127.0.0.1${words}`];
    const mirrors = `a.example:443=127.0.0.1:${server.port}`;
    rig = await yard.rig({ allow, mirrors, addresses: LOCAL });
    return rig.connect(name, 443);
  }

  beforeEach(async () => {
    server = await openTlsServer();
  });

  test("with the looked-up name is relayed whole", async () => {
    expect(await speakTls(await connectTo(""), "A.Example")).toBe("welcome");
    expect(server.names).toEqual(["A.Example"]);
    expect(await rig.recorded({ kind: "connect" })).toMatchObject({ protocol: "tls" });
  });

  test.each([
    ["another allowed name", "b.example", "server-name-differs"],
    ["a denied name", "evil.example", "server-name-differs"],
    ["no name", "", "server-name-missing"],
  ])(
    "with %s is told that access is denied, unless the rule is opaque",
    async (_what, name, code) => {
      expect(await speakTls(await connectTo(""), name)).toBe(ACCESS_DENIED);
      await rig.recorded({ kind: "connect", action: "deny", reasonCode: code as "no-rule" });
      expect(server.names).toEqual([]);
      expect(await speakTls(await connectTo(",opaque"), name)).toBe("welcome");
    },
  );

  test.each([
    ["other bytes", "SSH-2.0-OpenSSH_9.2\r\n", "protocol-not-allowed"],
    ["a plain request", "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n", "protocol-not-allowed"],
    ["a broken hello", "\x16\x03\x01\x00\x04\x02\x00\x00\x00", "request-malformed"],
  ])("is not %s, which reach nobody", async (_what, bytes, code) => {
    const client = await connectTo("");
    client.write(bytes, "latin1");
    const { received } = await readToEnd(client);
    expect(received).not.toContain("welcome");
    await rig.recorded({ kind: "connect", action: "deny", reasonCode: code as "no-rule" });
    expect(server.names).toEqual([]);
  });

  test("that hides its name is told the same", async () => {
    const client = await connectTo("");
    client.write(helloThatHides("a.example"));
    const alert = "\x15\x03\x03\x00\x02\x02\x31";
    expect(await readToEnd(client)).toEqual({ received: alert, ending: "closed" });
    await rig.recorded({ reasonCode: "server-name-hidden" });
  });
});

describe("a TLS client", () => {
  test.each([
    ["on a port that no rule allows", { allow: ["a.example:22"] }, "a.example"],
    ["to a bare address", { allow: ["a.example:22"] }, "93.184.215.14"],
  ])("%s is told that access is denied, and not left with a reset", async (_what, rules, place) => {
    const rig = await yard.rig({ ...rules, addresses: LOCAL });
    const isName = place === "a.example";
    const client = isName ? await rig.connect(place, 443) : await rig.dial(place, 443);
    expect(await speakTls(client, isName ? place : "")).toBe(ACCESS_DENIED);
    await rig.recorded({ kind: "connect", action: "deny" });
  });

  test("of a server that is down sees a reset, since no policy is to blame", async () => {
    const rig = await yard.rig({ allow: ["gone.example"] });
    expect(await speakTls(await rig.connect("gone.example", 443), "gone.example")).toBe(
      "ECONNRESET",
    );
  });
});

/** A ClientHello with the encrypted_client_hello extension beside a server name. */
function helloThatHides(name: string): Buffer {
  const length = (bytes: Buffer, width: number) => {
    const prefix = Buffer.alloc(width);
    prefix.writeUIntBE(bytes.length, 0, width);
    return Buffer.concat([prefix, bytes]);
  };
  const entry = Buffer.concat([Buffer.from([0]), length(Buffer.from(name), 2)]);
  const extensions = Buffer.concat([
    Buffer.from([0, 0]),
    length(length(entry, 2), 2),
    Buffer.from([0xfe, 0x0d]),
    length(Buffer.alloc(16), 2),
  ]);
  const fixed = Buffer.concat([Buffer.alloc(35), Buffer.from([0, 2, 0x13, 1, 1, 0])]);
  const body = Buffer.concat([fixed, length(extensions, 2)]);
  const message = Buffer.concat([Buffer.from([1]), length(body, 3)]);
  return Buffer.concat([Buffer.from([22, 3, 1]), length(message, 2)]);
}

describe("plain HTTP", () => {
  const seen: string[] = [];
  let rig: GatewayRig;

  beforeEach(async () => {
    seen.length = 0;
    const server = createHttpServer((request, response) => {
      seen.push(`${request.headers.host}${request.url}`);
      response.end("welcome");
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    yard.keep(() => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    });
    const { port } = server.address() as AddressInfo;
    const mirrors = `a.example:80=127.0.0.1:${port}`;
    rig = await yard.rig({ allow: ["a.example:80", "b.example"], mirrors });
  });

  function get(path: string, host: string, close = true): string {
    const last = close ? "Connection: close\r\n" : "";
    return `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${last}\r\n`;
  }

  test("for the looked-up name is relayed, request after request", async () => {
    const client = await rig.connect("a.example", 80);
    client.write(get("/1", "a.example", false) + get("/2", "a.example"));
    const { received, ending } = await readToEnd(client);
    expect([received.match(/welcome/g)?.length, ending]).toEqual([2, "closed"]);
    expect(seen).toEqual(["a.example/1", "a.example/2"]);
  });

  test("for another name is answered with who refused it and why, and reaches nobody", async () => {
    const client = await rig.connect("a.example", 80);
    client.write(get("/", "b.example"));
    const { received } = await readToEnd(client);
    expect(received).toMatch(/^HTTP\/1.1 403 Forbidden\r\n/);
    expect(received).toContain("it is for b.example:80 and not for a.example:80");
    expect(seen).toEqual([]);
  });

  test("for another name on an open connection breaks it off", async () => {
    const client = await rig.connect("a.example", 80);
    client.write(get("/1", "a.example", false));
    await once(client, "data");
    client.write(get("/2", "b.example"));
    await readToEnd(client);
    await rig.recorded({ kind: "request", action: "deny", reasonCode: "host-differs" });
    await rig.recorded({ kind: "close" });
    expect(seen).toEqual(["a.example/1"]);
  });

  test("on a name that is allowed for TLS alone is told how it would be allowed", async () => {
    const client = await rig.connect("b.example", 80);
    client.write(get("/", "b.example"));
    const { received } = await readToEnd(client);
    expect(received).toContain("policy allow my-sandbox b.example:80");
    await rig.recorded({ kind: "connect", reasonCode: "port-not-allowed", name: "b.example" });
  });

  test("to a bare address is told the same", async () => {
    const client = await rig.dial("93.184.215.14", 80);
    client.write(get("/", "93.184.215.14"));
    expect((await readToEnd(client)).received).toContain(
      "policy allow my-sandbox 93.184.215.14:80",
    );
  });
});
