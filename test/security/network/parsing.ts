/** Group C, its first half: how protocols are parsed. */
import { tcp, tls, type NetworkCase } from "./attempt.ts";
import { API, api, field, get, h2, WEB, web } from "./targets.ts";
import {
  both,
  clientHello,
  greetings,
  http2,
  lines,
  lookup,
  lookupLabels,
  request,
} from "./wire.ts";

const isTwice = { isReached: (received: string) => greetings(received) === 2 };
const connect = lines(
  "CONNECT denied.example:443 HTTP/1.1",
  "Host: denied.example:443",
  "X: TOKEN",
);
const socks4 = (token: string) =>
  Buffer.from(`\x04\x01\x01\xbb\0\0\0\x01${token}\0denied.example\0\r\n\r\n`);
const socks5 = (token: string) =>
  Buffer.from(`\x05\x01\0\x05\x01\0\x03\x0edenied.example\x01\xbb${token}\r\n\r\n`);
const hostLine = (text: string) =>
  lines("GET /TOKEN HTTP/1.1", `Host: ${text}`, "Connection: close");
const target = (text: string, host = WEB) =>
  lines(`GET ${text}TOKEN HTTP/1.1`, `Host: ${host}`, "Connection: close");
const framed = (body: string, ...fields: string[]) =>
  request(WEB, "/", { method: "POST", body, fields });

export const PARSING: readonly NetworkCase[] = [
  {
    id: "C25",
    title: "CONNECT and SOCKS to a denied host, on every listener",
    forbidden: [
      ...[connect, socks4, socks5].flatMap((send) => [web(send), tls(WEB, send, { port: 80 })]),
      ...[connect, socks4, socks5].map((send) => tcp("127.0.0.1", 53, send)),
      ...[connect, socks5].map((send) => tcp("::1", 53, send)),
      ...[connect, socks5].map((send) => api(send)),
    ],
    permitted: [web(request(WEB, "/")), api(get("/public/a"))],
    limit:
      "The gateway is no proxy: its one listener for TCP takes connections as the kernel redirects them.",
  },
  {
    id: "C26",
    title: "a second request inside an allowed connection: another Host, a tunnel",
    forbidden: [
      { ...web(both(WEB, request("denied.example", "/"))), ...isTwice },
      { ...web(both(WEB, connect)), ...isTwice },
      { ...api(both(API, request("denied.example", "/public/"))), ...isTwice },
      { ...api(both(API, get("/private/"))), ...isTwice },
      { ...api(both(API, connect)), ...isTwice },
    ],
    permitted: [
      { ...web(both(WEB, request(WEB, "/"))), ...isTwice },
      { ...api(both(API, get("/public/b"))), ...isTwice },
    ],
  },
  {
    id: "C27",
    title: "bytes that no host name has",
    forbidden: [
      "web.example\0.evil.net",
      "web.example\t.evil.net",
      "web.example .evil.net",
      "web.example#.evil.net",

      "u@web.example",
      String.raw`web.example\evil.net`,
      "web%2eexample",
      "web.example\r.evil.net",
      "web.example\n.evil.net",
    ]
      .map((text) => web(hostLine(text)))
      .concat([
        lookupLabels("a\0.evil", "x", "example"),
        lookupLabels("a", "x", "example\0evil"),
        lookupLabels("a.x", "example"),
        lookupLabels("a x", "x", "example"),
        lookupLabels("a@", "x", "example"),
        lookupLabels("a%2e", "x", "example"),
      ]),
    permitted: [web(hostLine(WEB)), lookupLabels("a", "x", "example"), lookup("a.x.example")],
  },
  {
    id: "C28",
    title: "a target that differs from the Host, two Hosts, a port or user in it",
    forbidden: [
      web(target("http://denied.example/")),
      web(target(`http://${WEB}/`, "denied.example")),
      web(target(`http://${WEB}@denied.example/`)),
      web(target("https://denied.example/")),
      web(field(`Host: ${WEB}`)),
      web(field("Host: denied.example")),
      web(hostLine(`${WEB}:8080`)),
      web(hostLine(`user:word@${WEB}`)),
      api(target("https://denied.example/public/", API)),
      api(get("/public/", `Host: ${API}`)),
    ],
    permitted: [
      web(target(`http://${WEB}/`)),
      web(hostLine(`${WEB}:80`)),
      api(target("/public/", API)),
    ],
  },
  {
    id: "C29",
    title: "lengths and encodings that conflict, folded lines, chunk extensions",
    forbidden: [
      web(framed("0\r\n\r\n", "Content-Length: 5", "Transfer-Encoding: chunked")),
      web(framed("x", "Content-Length: 1", "Content-Length: 2")),
      web(framed("x", "Content-Length: +1")),
      web(framed("x", "Content-Length: 1, 1")),
      web(framed("0\r\n\r\n", "Transfer-Encoding: xchunked")),
      web(framed("0\r\n\r\n", "Transfer-Encoding: gzip, chunked")),
      web(framed("0\r\n\r\n", "Transfer-Encoding : chunked")),
      web(field("X: a", " b")),
      web(field("X: a\nY: b")),
      web(lines("GET /TOKEN HTTP/1.0", `Host: ${WEB}`, "Transfer-Encoding: chunked")),
    ],
    permitted: [
      web(framed("x", "Content-Length: 1")),
      web(framed("1\r\nx\r\n0\r\n\r\n", "Transfer-Encoding: chunked")),
    ],
    elsewhere: [
      {
        file: "src/egress/http/http-message.test.ts",
        title: "%s, as a second request and in small pieces",
      },
    ],
  },
  {
    id: "C30",
    title: "an :authority that is neither SNI nor Host, and h2c",
    forbidden: [
      h2(http2("denied.example", "/public/a")),
      h2(http2(API, "/public/a", { host: "denied.example" })),
      h2(http2(`${API}:8443`, "/public/a")),
      h2(http2(API, "/private")),
      web(field("Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__")),
      web(http2(WEB, "/")),
    ],
    permitted: [h2(http2(API, "/public/a")), h2(http2(API, "/public/a", { host: API }))],
  },
  {
    id: "C31",
    title:
      "TLS without a name, with an address or a hidden name for one, or with a strange certificate",
    forbidden: [
      tcp(WEB, 443, clientHello({})),
      tcp(WEB, 443, clientHello({ name: "93.184.215.14" })),
      tcp(WEB, 443, clientHello({ name: "denied.example" })),
      tcp(WEB, 443, clientHello({ name: WEB, extra: 0xfe0d })),
      tcp(WEB, 443, clientHello({ name: WEB, extra: 0xffce })),
      tls("wrong.example", request("wrong.example", "/x")),
    ],
    permitted: [
      tls(WEB, request(WEB, "/")),
      tls(WEB, request(WEB, "/"), { servername: "WEB.example" }),
    ],
    limit:
      "Where TLS is not opened the client judges the certificate: docs/egress.md, What is compared.",
  },
  {
    id: "C32",
    title: "domain fronting: an allowed server name, a denied Host",
    forbidden: [
      api(request("denied.example", "/public/")),
      h2(http2("denied.example", "/public/a")),
      tls(WEB, request("denied.example", "/"), { servername: "denied.example" }),
    ],
    permitted: [api(get("/public/a"))],
    limit:
      "Where TLS is not opened a server of several names may be asked for another: docs/egress.md, Limits of it.",
  },
  {
    id: "C33",
    title: "other bytes than TLS on 443, or before it",
    forbidden: [
      tcp(WEB, 443, (token) => `SSH-2.0-${token}\r\n`),
      tcp(WEB, 443, request(WEB, "/")),
      tcp(WEB, 443, (token) =>
        Buffer.concat([Buffer.from("x\r\n"), clientHello({ name: WEB })(token)]),
      ),
      web((token) => `SSH-2.0-${token}\r\n`),
    ],
    permitted: [
      tls(WEB, request(WEB, "/")),
      tcp("a.x.example", 7000, (token) => `SSH-2.0-${token}\r\n`),
    ],
  },
];
