/** Group C, its second half: tunnels, and allowed hosts as ways to others. */
import { fetched, from, tcp, tls, type Attempt, type NetworkCase } from "./attempt.ts";
import { API, api, field, get, h2, WEB, web } from "./targets.ts";
import { http2, lines, request } from "./wire.ts";

const POST = { method: "POST", body: "x" };
/** In the sandbox `ruled`, a CONNECT proxy of its own. */
export const RELAY_PORT = 4800;
const relay = (place: string): Attempt =>
  tcp("127.0.0.1", RELAY_PORT, () => `CONNECT ${place} HTTP/1.1\r\n\r\n`);

const upgrade = [
  "Upgrade: websocket",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  "Sec-WebSocket-Version: 13",
];
const socketHead = (host: string, path: string) =>
  lines(`GET ${path}?TOKEN HTTP/1.1`, `Host: ${host}`, "Connection: Upgrade", ...upgrade);
export const TUNNELS: readonly NetworkCase[] = [
  {
    id: "C34",
    title: "a WebSocket where its rule does not say so",
    forbidden: [
      tls("chat.example", socketHead("chat.example", "/other")),
      api(socketHead(API, "/public/a")),
    ],
    permitted: [tls("chat.example", socketHead("chat.example", "/room"))],
    elsewhere: [
      { file: "test/security/network.test.ts", title: "counts what passes through a WebSocket" },
    ],
  },
  {
    id: "C35",
    title: "a redirection from an allowed host to a denied one",
    forbidden: [
      fetched(`http://${WEB}/moved/denied.example/`),
      fetched(`http://${WEB}/moved/93.184.215.14/`),
      fetched(`http://${WEB}/moved/169.254.169.254/`),
    ],
    permitted: [fetched(`http://${WEB}/moved/${WEB}/`)],
  },
  {
    id: "C36",
    title: "paths that servers read differently",
    forbidden: [
      "/private",
      "/PUBLIC/a",
      "/public/../private",
      "/public/%2e%2e/private",
      "/public/..%2fprivate",

      "/public/%252e%252e/private",
      "/public//private",
      "/public/a;b=c",
      String.raw`/public\..\private`,
      "/public",
      "/public/./a",
      "/public/%00a",
    ].flatMap((path) => [api(get(path)), h2(http2(API, path))]),
    permitted: ["/public/a", "/public/a/", "/public/a%20b", "/%70ublic/a"].flatMap((path) => [
      api(get(path)),
      h2(http2(API, path)),
    ]),
    elsewhere: [
      {
        file: "src/egress/http/request-path.test.ts",
        title:
          "is the same however much of it is escaped, and never holds what a server could resolve",
      },
    ],
  },
  {
    id: "C37",
    title: "writing by a rule that only reads: other methods, overridden ones, bodies, calls",
    forbidden: [
      api(request(API, "/public/a", { ...POST, fields: ["Content-Length: 1"] })),
      api(get("/public/a", "X-HTTP-Method-Override: DELETE")),
      api(get("/public/a", "X-Method-Override: PUT")),
      api(get("/public/a?_method=delete&TOKEN")),
      api(request(API, "/public/a", { body: "x", fields: ["Content-Length: 1"] })),
      ...[`{"query":"mutation { drop }"}`, `[{"method":"read"},{"method":"write"}]`].map((body) =>
        api(
          request(API, "/public/call", {
            ...POST,
            body,
            fields: [`Content-Length: ${body.length}`],
          }),
        ),
      ),
      h2(http2(API, "/public/a", { ":method": "DELETE" })),
      h2(http2(API, "/public/a", { "x-http-method-override": "DELETE" })),
    ],
    permitted: [api(get("/public/a")), h2(http2(API, "/public/a"))],
  },
  {
    id: "C38",
    title: "an allowed API as a drop box",
    forbidden: [
      api(
        request(API, "/public/upload", { method: "PUT", body: "x", fields: ["Content-Length: 1"] }),
      ),
      api(
        request(API, "/v1/files", {
          ...POST,
          fields: ["Content-Length: 1", "Authorization: Bearer other"],
        }),
      ),
      h2(http2(API, "/public/upload", { ":method": "PUT" })),
    ],
    permitted: [api(get("/public/a"))],
    limit:
      "Rules bind method and path. They do not bind the account: no credential is injected yet, so there is none to compare with.",
  },
  {
    id: "C39",
    title: "an Authorization of the client's own beside the injected one",
    forbidden: [],
    permitted: [],
    limit: "No credential is injected yet, so there is none beside which another could stand.",
  },
  {
    id: "C40",
    title: "a relay of the sandbox's own, chained to the gateway",
    forbidden: ["denied.example:7000", "93.184.215.14:7000", "169.254.169.254:80"].map(relay),
    permitted: [relay("a.x.example:7000")],
  },
  {
    id: "C41",
    title: "endless heads, bytes that trickle, and many half-open connections",
    forbidden: [
      web(field(`X: ${"x".repeat(66_000)}`)),
      web((token) => `GET /${token}${"x".repeat(66_000)}`),
      api(get("/public/a", `X: ${"x".repeat(66_000)}`)),
      api((token) => `GET /public/${token}${"x".repeat(66_000)}`),
    ],
    permitted: [
      web(field(`X: ${"x".repeat(8000)}`)),
      api(get("/public/a", `X: ${"x".repeat(8000)}`)),
    ],
    elsewhere: [
      {
        file: "test/security/ways-out.ts",
        title:
          "a sandbox whose %s holds every connection it may leaves others theirs, and its own when it lets go",
      },
      { file: "src/egress/gateway.test.ts", title: "that says nothing is ended by a deadline" },
    ],
  },
  {
    id: "C42",
    title: "a gateway that is gone",
    forbidden: [],
    permitted: [],
    limit: "A gateway ends once, after all else was tried.",
    elsewhere: [
      {
        file: "test/security/network.test.ts",
        title: "%s reaches nothing once its gateway is gone",
      },
      {
        file: "test/provider/local-death.test.ts",
        title: "an engine killed with SIGKILL leaves no process, and its sandboxes start again",
      },
    ],
  },
  {
    id: "C43",
    title: "the addresses and listeners that another sandbox was given",
    forbidden: from("empty", [
      ...[1, 2, 3, 4, 5, 6, 7, 8].map((at) => tcp(`198.18.0.${at}`, 7000)),
      tls("198.18.0.1", request(WEB, "/"), { servername: WEB }),
      tcp("198.18.0.1", 80, request(WEB, "/")),
      tcp("127.0.0.1", RELAY_PORT, () => "CONNECT a.x.example:7000 HTTP/1.1\r\n\r\n"),
    ]),
    permitted: [tcp("a.x.example", 7000), relay("a.x.example:7000")],
    limit:
      "There is no port or token to take: which sandbox asks is told by the socket that it reached.",
  },
];
