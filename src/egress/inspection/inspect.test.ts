import { once } from "node:events";
import { connect } from "node:tls";
import { describe, expect, test } from "vitest";
import { readToEnd } from "../../../test/support/gateway-rig.ts";
import { INSPECTED, openInspectionYard, readUntil } from "../../../test/support/inspection-yard.ts";

const yard = openInspectionYard();
const READ_ONLY = { allow: [`${INSPECTED}/public/**,GET`] };

function get(path: string, ...fields: string[]): string {
  return [`GET ${path} HTTP/1.1`, `Host: ${INSPECTED}`, ...fields, "", ""].join("\r\n");
}

describe("an inspected HTTP/1 connection", () => {
  test("passes what the rule includes, and answers the rest with why, on its own connection", async () => {
    const asked: string[] = [];
    const upstream = await yard.server((request, response) => {
      asked.push(`${request.method} ${request.url}`);
      response.end("hello");
    });
    const rig = await yard.inspectingRig(upstream, READ_ONLY);
    const client = await rig.open({ protocols: ["http/1.1"] });
    client.write(get("/public/a?key=secret"));
    expect(await readUntil(client, "hello")).toContain("200 OK");
    client.write(get("/private/b"));
    const { received } = await readToEnd(client);
    expect(received).toMatch(/^HTTP\/1\.1 403 Forbidden\r\n/);
    expect(received).toContain("does not include this path");
    expect(received).toContain("cattlegrid policy allow");
    expect(asked).toEqual(["GET /public/a?key=secret"]);
    const requests = rig.records.filter(({ kind }) => kind === "request");
    expect(requests).toMatchObject([
      { action: "allow", method: "GET", path: "/public/a", reasonCode: "allowed" },
      { action: "deny", method: "GET", path: "/private/b", reasonCode: "path-not-allowed" },
    ]);
    expect(JSON.stringify(rig.records)).not.toContain("secret");
  });

  test.each([
    [
      "another method",
      `POST /public/a HTTP/1.1\r\nHost: ${INSPECTED}\r\n\r\n`,
      "method-not-allowed",
    ],
    [
      "an overridden method",
      get("/public/a", "X-HTTP-Method-Override: DELETE"),
      "method-not-allowed",
    ],
    ["a GET with a body", `${get("/public/a", "Content-Length: 1")}x`, "method-not-allowed"],
    [
      "a WebSocket under a rule of methods",
      get("/public/a", "Upgrade: websocket", "Sec-WebSocket-Key: x"),
      "method-not-allowed",
    ],
    ["a path out of the allowed one", get("/public/../private"), "path-ambiguous"],
    ["an encoded way out", get("/public/%2e%2e/private"), "path-ambiguous"],
    ["an encoded slash", get("/public/..%2fprivate"), "path-ambiguous"],
    [
      "another host (domain fronting)",
      `GET /public/a HTTP/1.1\r\nHost: evil.example\r\n\r\n`,
      "host-differs",
    ],
    [
      "another host in the target",
      `GET https://evil.example/public/a HTTP/1.1\r\nHost: ${INSPECTED}\r\n\r\n`,
      "host-differs",
    ],
    ["two hosts", get("/public/a", `Host: ${INSPECTED}`), "request-malformed"],
    [
      "two lengths",
      get("/public/a", "Content-Length: 0", "Content-Length: 4"),
      "request-malformed",
    ],
    [
      "a length beside chunks",
      get("/public/a", "Content-Length: 4", "Transfer-Encoding: chunked"),
      "request-malformed",
    ],
    ["a folded header", get("/public/a", "X: a", " b"), "request-malformed"],
    ["a NUL in a header", get("/public/a", "X: a\0b"), "request-malformed"],
    [
      "a tunnel",
      `CONNECT ${INSPECTED}:443 HTTP/1.1\r\nHost: ${INSPECTED}\r\n\r\n`,
      "request-refused",
    ],
    ["HTTP/2 in clear text", get("/public/a", "Upgrade: h2c"), "request-refused"],
  ])(
    "refuses %s, first and as a later request, and sends nothing of it on",
    async (_what, text, code) => {
      const asked: (string | undefined)[] = [];
      const upstream = await yard.server((request, response) => {
        asked.push(request.url);
        response.end("hello");
      });
      const rig = await yard.inspectingRig(upstream, READ_ONLY);
      const first = await rig.open({ protocols: ["http/1.1"] });
      first.write(text, "latin1");
      expect((await readToEnd(first)).received).toContain("HTTP/1.1 403");
      await rig.recorded({ reasonCode: code as never });
      const later = await rig.open({ protocols: ["http/1.1"] });
      later.write(get("/public/ok") + text, "latin1");
      const { received } = await readToEnd(later);
      expect(received.match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 200", "HTTP/1.1 403"]);
      expect(asked).toEqual(["/public/ok"]);
    },
  );

  test("never sends on a request that hides in the body of an allowed one", async () => {
    const upstream = await yard.server((request, response) => {
      request.pipe(response as never);
    });
    const rig = await yard.inspectingRig(upstream, { allow: [`${INSPECTED}/public/**`] });
    const client = await rig.open({ protocols: ["http/1.1"] });
    const hidden = get("/private/b");
    const head = `POST /public/a HTTP/1.1\r\nHost: ${INSPECTED}\r\nContent-Length: ${hidden.length}\r\n\r\n`;
    client.write(head + hidden);
    expect(await readUntil(client, "/private/b")).toContain("200 OK");
    client.end();
    await rig.recorded({ kind: "close" });
    expect(rig.records.filter(({ kind }) => kind === "request")).toHaveLength(1);
  });

  test("takes nothing for a body that the server answered without wanting it", async () => {
    const bytes: string[] = [];
    const upstream = await yard.rawServer((socket) => {
      socket.on("data", (chunk: Buffer) => {
        bytes.push(chunk.toString("latin1"));
        if (bytes.length === 1) socket.write("HTTP/1.1 417 No\r\nContent-Length: 2\r\n\r\nno");
      });
    });
    const rig = await yard.inspectingRig(upstream, { allow: [`${INSPECTED}/public/**`] });
    const client = await rig.open();
    const hidden = get("/private/b");
    const fields = `Expect: 100-continue\r\nContent-Length: ${hidden.length}`;
    client.write(`POST /public/a HTTP/1.1\r\nHost: ${INSPECTED}\r\n${fields}\r\n\r\n`);
    await readUntil(client, "no");
    client.write(hidden);
    await readToEnd(client);
    expect(bytes.join("")).not.toContain("/private/b");
  });

  test("keeps 100-continue, chunks and trailers as they were sent", async () => {
    let heard = "";
    const upstream = await yard.rawServer((socket) => {
      socket.on("data", (chunk: Buffer) => {
        heard += chunk.toString("latin1");
        if (heard.endsWith("\r\n\r\n") && !heard.includes("5\r\n")) {
          socket.write("HTTP/1.1 100 Continue\r\n\r\n");
        }
        if (heard.includes("X-Sum: 7")) {
          const head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Done\r\n\r\n";
          socket.write(`${head}2;x=y\r\nok\r\n0\r\nX-Done: 1\r\n\r\n`);
        }
      });
    });
    const rig = await yard.inspectingRig(upstream, { allow: [`${INSPECTED}/public/**`] });
    const client = await rig.open();
    const fields = "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum";
    client.write(`POST /public/a HTTP/1.1\r\nHost: ${INSPECTED}\r\n${fields}\r\n\r\n`);
    await readUntil(client, "100 Continue");
    client.write("5\r\nhello\r\n0\r\nX-Sum: 7\r\n\r\n");
    const answer = await readUntil(client, "X-Done: 1\r\n\r\n");
    expect(answer).toContain("2;x=y\r\nok\r\n0\r\nX-Done: 1\r\n\r\n");
    expect(heard).toContain("5\r\nhello\r\n0\r\nX-Sum: 7\r\n\r\n");
  });

  test("streams: what either side has said arrives before it has said all", async () => {
    const upstream = await yard.rawServer((socket) => socket.pipe(socket));
    const rig = await yard.inspectingRig(upstream, { allow: [`${INSPECTED}/**`] });
    const client = await rig.open();
    const head = `POST / HTTP/1.1\r\nHost: ${INSPECTED}\r\nContent-Length: 1000000\r\n\r\n`;
    // The echo of a request is no answer, so the server's side is checked by the refusal that it earns.
    client.write(`${head}begin`);
    await rig.recorded({ kind: "request", action: "error" });
    expect((await readToEnd(client)).received).toBe("");
  });

  test("becomes a WebSocket only when the server agrees", async () => {
    const upstream = await yard.rawServer((socket) => {
      socket.once("data", (head: Buffer) => {
        if (head.includes("/refused")) {
          socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno");
          return;
        }
        socket.write(
          "HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhi",
        );
        socket.pipe(socket);
      });
    });
    const rig = await yard.inspectingRig(upstream, { allow: [`${INSPECTED}/public/**`] });
    const upgrade = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: x"];
    const client = await rig.open();
    client.write(`${get("/public/socket", ...upgrade)}GET /private HTTP/1.1\r\n`);
    expect(await readUntil(client, "GET /private HTTP/1.1")).toContain("101 Switching");
    client.end();
    const refused = await rig.open();
    refused.write(get("/public/refused", ...upgrade) + get("/private/b"));
    const { received } = await readToEnd(refused);
    expect(received.match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 200", "HTTP/1.1 403"]);
  });

  test("is broken off when the policy comes to deny the request that is open", async () => {
    const upstream = await yard.rawServer((socket) => {
      socket.once("data", () => socket.write("HTTP/1.1 200 OK\r\n\r\nstream"));
    });
    const rig = await yard.inspectingRig(upstream, { allow: [`${INSPECTED}/public/**`] });
    const [open, idle] = [await rig.open(), await rig.open()];
    open.write(get("/public/events"));
    await readUntil(open, "stream");
    const ended = readToEnd(open);
    rig.setPolicy({ allow: [`${INSPECTED}/other/**`] });
    await ended;
    await rig.recorded({ kind: "request", reasonCode: "policy-changed", path: "/public/events" });
    idle.write(get("/public/events"));
    expect((await readToEnd(idle)).received).toContain("403");
  });
});

describe("a server", () => {
  test.each([
    ["of another name", ["other.example"], true],
    ["of an authority that nobody trusts", [INSPECTED], false],
  ])("%s is not believed, and the client reads why", async (_what, names, isTrusted) => {
    let heard = 0;
    const upstream = await yard.rawServer((socket) => socket.on("data", () => (heard += 1)), names);
    const options = isTrusted ? READ_ONLY : { ...READ_ONLY, mirrorCertificates: [] };
    const rig = await yard.inspectingRig(upstream, options);
    const client = await rig.open({ protocols: ["http/1.1"] });
    client.write(get("/public/a"));
    const { received } = await readToEnd(client);
    expect(received).toMatch(/^HTTP\/1\.1 502 Bad Gateway/);
    expect(received).toContain("does not prove that it is");
    await rig.recorded({ reasonCode: "certificate-untrusted", action: "error" });
    expect(heard).toBe(0);
  });

  test("is not opened to a client whose protocol cannot be read", async () => {
    const upstream = await yard.rawServer(() => undefined);
    const rig = await yard.inspectingRig(upstream, READ_ONLY);
    await expect(rig.open({ protocols: ["acme-tls/1"] })).rejects.toThrow(/access denied/i);
    await rig.recorded({ reasonCode: "protocol-unreadable", action: "deny" });
  });

  test("is opened only where a rule speaks of requests", async () => {
    const upstream = await yard.server((_request, response) => response.end("hello"));
    const rig = await yard.inspectingRig(upstream, { allow: [INSPECTED] });
    await expect(rig.open()).rejects.toThrow(/certificate/);
    rig.setPolicy({ allow: [INSPECTED], deny: [`${INSPECTED}/admin/**`] });
    const client = await rig.open();
    client.write(get("/"));
    expect(await readUntil(client, "hello")).toContain("200 OK");
  });
});

test("an open connection that was not inspected ends when it comes to need it", async () => {
  const upstream = await yard.rawServer((socket) => socket.write("x"));
  const rig = await yard.inspectingRig(upstream, { allow: [INSPECTED] });
  const socket = await rig.connect(INSPECTED, 443);
  const client = connect({ socket, servername: INSPECTED, ca: upstream.authority });
  await once(client, "data");
  client.on("error", () => undefined);
  const ended = new Promise((resolve) => client.once("close", resolve));
  rig.setPolicy(READ_ONLY);
  await ended;
  await rig.recorded({ reasonCode: "policy-changed" });
});
