/** Group B: DNS and what is not TCP. */
import { file, hasDevices, socket, tcp, tls, udp, type NetworkCase } from "./attempt.ts";
import { lookup, lookupLabels, request } from "./wire.ts";

const ALLOWED_LOOKUP = lookup("a.x.example");
const SECRET = "c2VjcmV0".repeat(7);
const web = tls("web.example", request("web.example", "/"));

export const DATAGRAMS: readonly NetworkCase[] = [
  {
    id: "B17",
    title: "data in labels of a denied zone",
    forbidden: ["A", "TXT", "NULL", "MX", "AAAA", "HTTPS", "SRV", "ANY"].map((type) =>
      lookup(`${SECRET}.evil.example`, { type }),
    ),
    permitted: [ALLOWED_LOOKUP],
    elsewhere: [{ file: "src/egress/dns/dns.test.ts", title: "is refused at once for %s" }],
  },
  {
    id: "B18",
    title: "data in labels of an allowed zone",
    forbidden: [
      lookup(`${SECRET}.a.x.example`),
      lookup(`${SECRET}.b.w.example`),
      lookup("one.tree.example", { type: "TXT" }),
      lookup("one.tree.example", { type: "NULL" }),
      lookupLabels(SECRET.repeat(2), "tree", "example"),
    ],
    permitted: [lookup("one.tree.example"), lookup("b.w.example")],
    elsewhere: [
      {
        file: "src/egress/dns/dns.test.ts",
        title: "gives new names under a wildcard only so often",
      },
    ],
  },
  {
    id: "B19",
    title: "DNS straight to a public resolver",
    forbidden: [
      lookup("evil.example", { server: "8.8.8.8" }),
      tcp("8.8.8.8", 53, () => Buffer.from("\0\x1d")),
      tcp("127.0.0.1", 53),
    ],
    // Our resolver answers, whoever was asked.
    permitted: [lookup("a.x.example", { server: "8.8.8.8" })],
  },
  {
    id: "B20",
    title: "DNS over TLS, and over HTTPS to a resolver that no rule names",
    forbidden: [
      tls("1.1.1.1", () => "x", { port: 853 }),
      tls("dns.google", () => "x", { port: 853 }),
      tls("dns.google", request("dns.google", "/dns-query")),
      tls("8.8.8.8", request("dns.google", "/dns-query"), { servername: "dns.google" }),
    ],
    permitted: [ALLOWED_LOOKUP, web],
  },
  {
    id: "B21",
    title: "QUIC to an allowed host, so that its client falls back to TCP",
    forbidden: [udp("web.example", 443, () => Buffer.alloc(1200, 0xc3))],
    permitted: [web],
  },
  {
    id: "B22",
    title: "ICMP, raw and packet sockets",
    forbidden: [
      ...[1, 255].map((protocol) => socket(2, 3, protocol)),
      socket(2, 2, 1),
      socket(10, 3, 58),
      socket(17, 3, 768),
      socket(17, 2, 768),
    ],
    permitted: [socket(2, 1, 0), socket(2, 2, 0)],
    elsewhere: [
      {
        file: "test/security/ways-out.ts",
        title:
          "are refused whatever the kind of socket, address, option or packet, and the allowed one works",
      },
    ],
  },
  {
    id: "B23",
    title: "UDP to any host: time, STUN, WireGuard, an allowed name",
    forbidden: [
      udp("129.6.15.28", 123),
      udp("74.125.250.129", 19_302),
      udp("93.184.215.14", 51_820),
      udp("a.x.example", 7000),
      udp("2606:4700::1111", 443),
    ],
    permitted: [ALLOWED_LOOKUP],
    limit: "No rule can grant UDP, on any provider: the policy language has no word for it.",
  },
  {
    id: "B24",
    title: "multicast and broadcast: mDNS, LLMNR, SSDP, DHCP",
    forbidden: [
      udp("224.0.0.251", 5353),
      udp("224.0.0.252", 5355),
      udp("239.255.255.250", 1900, () => "M-SEARCH * HTTP/1.1\r\n\r\n"),
      udp("255.255.255.255", 67),
      udp("ff02::fb", 5353),
      udp("ff02::1:3", 5355),
      // What was sent has no device to leave by.
      file("/proc/net/dev", hasDevices),
    ],
    permitted: [ALLOWED_LOOKUP],
  },
];
