import { once } from "node:events";
import {
  connect,
  constants,
  type ClientHttp2Session,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
} from "node:http2";
import { describe, expect, test } from "vitest";
import {
  INSPECTED,
  openInspectionYard,
  type InspectingRig,
} from "../../../test/support/inspection-yard.ts";

const yard = openInspectionYard();
const READ_ONLY = { allow: [`${INSPECTED}/public/**,GET`] };

async function openSession(rig: InspectingRig): Promise<ClientHttp2Session> {
  const socket = await rig.open({ protocols: ["h2", "http/1.1"] });
  expect(socket.alpnProtocol).toBe("h2");
  const session = connect(`https://${INSPECTED}`, { createConnection: () => socket });
  session.on("error", () => undefined);
  yard.keep(async () => session.destroy());
  return session;
}

interface Answer {
  status: number | undefined;
  text: string;
  trailers: Record<string, unknown>;
}

async function ask(
  session: ClientHttp2Session,
  headers: OutgoingHttpHeaders,
  body?: string,
): Promise<Answer> {
  const stream = session.request(headers, { endStream: body === undefined });
  const answer: Answer = { status: undefined, text: "", trailers: {} };
  stream.on("response", (head) => (answer.status = head[":status"]));
  stream.on("trailers", (trailers) => (answer.trailers = { ...trailers }));
  stream.on("data", (bytes: Buffer) => (answer.text += bytes.toString()));
  if (body !== undefined) stream.end(body);
  stream.on("error", () => undefined);
  await new Promise((resolve) => stream.once("close", resolve));
  return answer;
}

describe("an inspected HTTP/2 connection", () => {
  test("decides each of many requests by itself, and goes on after a denial", async () => {
    const asked: string[] = [];
    const upstream = await yard.server((request, response) => {
      asked.push(`${request.httpVersion} ${request.url}`);
      response.end("hello");
    });
    const rig = await yard.inspectingRig(upstream, READ_ONLY);
    const session = await openSession(rig);
    const paths = Array.from({ length: 20 }, (_, at) =>
      at % 2 === 0 ? `/public/${at}` : `/no/${at}`,
    );
    const answers = await Promise.all(paths.map((path) => ask(session, { ":path": path })));
    expect(answers.map(({ status }) => status)).toEqual(
      paths.map((path) => (path.startsWith("/public") ? 200 : 403)),
    );
    expect(answers[1]?.text).toContain("does not include this path");
    expect(asked.toSorted()).toEqual(
      paths
        .filter((path) => path.startsWith("/public"))
        .map((path) => `2.0 ${path}`)
        .toSorted(),
    );
    expect(rig.records.filter(({ kind }) => kind === "connect")).toHaveLength(1);
    expect(rig.records.filter(({ kind }) => kind === "request")).toHaveLength(20);
  });

  test.each<[string, OutgoingHttpHeaders, number | undefined]>([
    ["another authority", { ":authority": "evil.example" }, 403],
    ["another port", { ":authority": `${INSPECTED}:8443` }, 403],
    ["a Host beside it that differs", { ":authority": INSPECTED, host: "evil.example" }, 403],
    ["user info", { ":authority": `x@${INSPECTED}` }, undefined],
    ["another scheme", { ":scheme": "http" }, 403],
    ["another method", { ":method": "DELETE" }, 403],
    ["an overridden method", { "x-http-method-override": "DELETE" }, 403],
    ["a way out of the path", { ":path": "/public/../private" }, 403],
    ["an encoded one", { ":path": "/public/%2e%2e/private" }, 403],
  ])("refuses %s, and sends nothing of it on", async (_what, headers, status) => {
    let asked = 0;
    const upstream = await yard.server((_request, response) => {
      asked += 1;
      response.end("hello");
    });
    const rig = await yard.inspectingRig(upstream, READ_ONLY);
    const session = await openSession(rig);
    expect((await ask(session, { ":path": "/public/a", ...headers })).status).toBe(status);
    expect(asked).toBe(0);
    expect((await ask(session, { ":path": "/public/a" })).status).toBe(200);
  });

  test("refuses a tunnel", async () => {
    const upstream = await yard.server((_request, response) => response.end("hello"));
    const rig = await yard.inspectingRig(upstream, { allow: [`${INSPECTED}/**`] });
    const session = await openSession(rig);
    const headers = { ":method": "CONNECT", ":authority": "evil.example:443" };
    expect((await ask(session, headers)).status).toBe(403);
    await rig.recorded({ reasonCode: "request-refused" });
  });

  test("streams both ways, and keeps informational answers and trailers", async () => {
    const upstream = await yard.server();
    upstream.server.on("stream", (stream: ServerHttp2Stream) => {
      stream.additionalHeaders({ ":status": 103, link: "</x>" });
      stream.respond({ ":status": 200 }, { waitForTrailers: true });
      stream.on("trailers", (trailers: Record<string, unknown>) => {
        stream.on("wantTrailers", () =>
          stream.sendTrailers({ "x-back": String(trailers["x-sum"]) }),
        );
        stream.end();
      });
      stream.on("data", (bytes: Buffer) => stream.write(bytes));
    });
    const rig = await yard.inspectingRig(upstream, { allow: [`${INSPECTED}/**`] });
    const session = await openSession(rig);
    const stream = session.request({ ":method": "POST" }, { waitForTrailers: true });
    const early = once(stream, "headers");
    stream.write("ping");
    expect(String((await once(stream, "data"))[0])).toBe("ping");
    expect((await early)[0]).toMatchObject({ ":status": 103, link: "</x>" });
    stream.on("wantTrailers", () => stream.sendTrailers({ "x-sum": "7" }));
    const trailers = once(stream, "trailers");
    stream.end("pong");
    expect((await trailers)[0]).toMatchObject({ "x-back": "7" });
  });

  test("carries a large body whole in both directions at once", async () => {
    const upstream = await yard.server((request, response) => request.pipe(response));
    const rig = await yard.inspectingRig(upstream, { allow: [`${INSPECTED}/**`] });
    const session = await openSession(rig);
    const body = "0123456789abcdef".repeat(256 * 1024);
    const { text, status } = await ask(session, { ":method": "POST", ":path": "/echo" }, body);
    expect([status, text.length, text === body]).toEqual([200, body.length, true]);
  });

  test("passes the reset of one request on, and spares the others", async () => {
    const upstream = await yard.server((request, response) => {
      if (request.url === "/reset") request.stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM);
      else response.end("hello");
    });
    const rig = await yard.inspectingRig(upstream, { allow: [`${INSPECTED}/**`] });
    const session = await openSession(rig);
    const stream = session.request({ ":path": "/reset" });
    stream.on("error", () => undefined);
    await new Promise((resolve) => stream.once("close", resolve));
    expect(stream.rstCode).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM);
    expect((await ask(session, { ":path": "/" })).text).toBe("hello");
  });

  test("ends those open requests that the policy comes to deny, and no others", async () => {
    const upstream = await yard.server((request, response) => {
      response.write("stream");
      if (request.url === "/public/short") response.end();
    });
    const rig = await yard.inspectingRig(upstream, { allow: [`${INSPECTED}/**`] });
    const session = await openSession(rig);
    const denied = session.request({ ":path": "/private/events" });
    denied.on("error", () => undefined);
    await once(denied, "data");
    const gone = new Promise((resolve) => denied.once("close", resolve));
    const kept = session.request({ ":path": "/public/events" });
    await once(kept, "data");
    rig.setPolicy({ allow: [`${INSPECTED}/public/**`] });
    await gone;
    await rig.recorded({ reasonCode: "policy-changed", path: "/private/events" });
    expect(kept.destroyed).toBe(false);
    expect((await ask(session, { ":path": "/public/short" })).text).toBe("stream");
    expect((await ask(session, { ":path": "/private/short" })).status).toBe(403);
  });
});
