/** Group A: names, addresses, routes. */
import { networkInterfaces } from "node:os";
import { fetched, file, from, hasDevices, tcp, tls, type NetworkCase } from "./attempt.ts";
import type { Outside } from "./outside.ts";
import { GRANTED } from "./rules.ts";
import { request } from "./wire.ts";

const ALLOWED = tcp("a.x.example", 7000);
const onPort = (port: number, hosts: readonly string[]) => hosts.map((host) => tcp(host, port));
const METADATA = [
  "169.254.169.254",
  "fd00:ec2::254",
  "100.100.100.200",
  "168.63.129.16",
  "192.0.0.192",
  "metadata.google.internal",
];
const GATEWAY_TESTS = "src/egress/gateway.test.ts";
const POLICY_TESTS = "test/security/policy.test.ts";
/** Where the sandbox `open` runs a server of its own. */
export const NEIGHBOUR_PORT = 4700;

export function namesAndRoutes({ port }: Pick<Outside, "port">): readonly NetworkCase[] {
  const granted = tcp(GRANTED, 7000);
  const host = ["127.0.0.1", "::1", "172.17.0.1", "192.168.65.2", "10.0.2.2", ...hostAddresses()];
  const internal = ["host.docker.internal", "gateway.docker.internal", "host.containers.internal"];
  const services = onPort(port, [...host, ...internal]);
  const spellings = [
    "127.1",
    "0x7f000002",
    "017700000002",
    "2130706434",
    "127.0.0.2.",
    "0177.0.0.2",
  ];
  const oddMetadata = ["2852039166", "0xa9.0xfe.0xa9.0xfe", "0251.0376.0251.0376", "169.16689662"];
  const forms = ["::ffff:127.0.0.2", "::ffff:7f00:2", "64:ff9b::7f00:2", "2002:7f00:2::"];
  return [
    {
      id: "A1",
      title: "a public address by TCP, without any proxy",
      forbidden: [...onPort(7000, ["93.184.215.14", "2606:4700::1111"]), tcp("8.8.8.8", 443)],
      permitted: [ALLOWED],
    },
    {
      id: "A2",
      title: "NO_PROXY=*, and proxies that are built in or named by the environment",
      forbidden: [
        fetched("http://93.184.215.14/"),
        tcp("10.0.0.1", 3128, request("denied.example", "http://denied.example/")),
      ],
      permitted: [fetched("http://web.example/")],
    },
    {
      id: "A3",
      title: "anything, under an empty allow list",
      forbidden: from("empty", [
        ALLOWED,
        fetched("http://web.example/"),
        tls("web.example", request("web.example", "/")),
        granted,
      ]),
      permitted: [ALLOWED, fetched("http://web.example/"), granted],
    },
    {
      id: "A4",
      title: "a policy file that is missing, unreadable or half-written",
      forbidden: [],
      permitted: [],
      limit: "Nothing starts, so that nothing can be tried from inside.",
      elsewhere: [
        {
          file: "src/egress/policy/compile-policy.test.ts",
          title: "cut off in any place is an error or allows no more than the whole",
        },
        {
          file: POLICY_TESTS,
          title:
            "an organisation's policy stands above every grant, and a broken one starts nothing",
        },
        { file: POLICY_TESTS, title: "a policy file that cannot be read starts nothing" },
      ],
    },
    {
      id: "A5",
      title: "IPv6 literals, and mapped, NAT64 and 6to4 forms of a denied address",
      forbidden: [
        ...onPort(port, forms),
        ...from("open", onPort(port, forms)),
        ...onPort(7000, ["::ffff:93.184.215.14", "64:ff9b::5db8:d70e", "2002:5db8:d70e::1"]),
      ],
      permitted: [tcp(`::ffff:${GRANTED}`, 7000)],
    },
    {
      id: "A6",
      title: "odd spellings of loopback and metadata",
      forbidden: [
        ...onPort(port, spellings),
        ...from("open", onPort(port, spellings)),
        ...onPort(80, oddMetadata),
        ...from("open", onPort(80, oddMetadata)),
      ],
      permitted: onPort(7000, ["1572394772", "0x5db8d714", "0135.0270.0327.024", "93.12113684"]),
    },
    {
      id: "A7",
      title: "cloud metadata, under a policy that allows everything public too",
      forbidden: [...onPort(80, METADATA), ...from("open", onPort(80, METADATA))],
      permitted: [granted],
      elsewhere: [
        { file: "src/egress/policy/decide.test.ts", title: "the table in docs/egress.md" },
      ],
    },
    {
      id: "A8",
      title: "services of the host by loopback, gateway address, name and address of its own",
      forbidden: [...services, ...from("open", services)],
      permitted: [granted],
    },
    {
      id: "A9",
      title: "a neighbouring sandbox, by address and by name; nor is it seen",
      forbidden: [
        ...onPort(NEIGHBOUR_PORT, ["127.0.0.1", "::1", "10.1.2.3", "198.18.0.1", "open", "yard-2"]),
        file("/proc/net/arp", (text) => text.trim().split("\n").length > 1),
        file("/proc/net/dev", hasDevices),
        file("/proc/net/tcp6", showsNeighbour),
      ],
      permitted: from("open", [
        tcp("127.0.0.1", NEIGHBOUR_PORT),
        file("/proc/net/tcp6", showsNeighbour),
      ]),
    },
    {
      id: "A10",
      title: "addresses of a cluster: services, kubelet, API server, a node's metadata",
      forbidden: [
        ...["ruled", "open"].flatMap((place) =>
          from(place as "ruled", [
            tcp("10.96.0.1", 443),
            tcp("10.0.0.1", 10_250),
            tcp("kubernetes.default.svc", 443),
            tcp("169.254.169.254", 80),
          ]),
        ),
        file("/var/run/secrets/kubernetes.io/serviceaccount/token", (text) => text !== ""),
      ],
      permitted: [granted],
      limit:
        "This provider makes namespaces on one machine and no pods, so there is no cluster that could answer.",
    },
    {
      id: "A11",
      title: "an allowed name that is bound anew to an address that its rule does not grant",
      forbidden: [tcp("rebind.example", port)],
      permitted: [tcp("rebind.example", port)],
      elsewhere: [
        {
          file: GATEWAY_TESTS,
          title: "that is bound anew to a private address is refused the second time",
        },
      ],
    },
    {
      id: "A12",
      title: "an allowed name that leads to the host from the start",
      forbidden: [tcp("inner.example", port)],
      permitted: [tcp("granted.example", port)],
    },
    {
      id: "A13",
      title: "an allowed name that the client itself maps to another address",
      forbidden: [
        tls("93.184.215.14", request("web.example", "/"), { servername: "web.example" }),
        tcp("93.184.215.14", 80, request("web.example", "/")),
      ],
      permitted: [tls("web.example", request("web.example", "/"))],
      elsewhere: [
        {
          file: GATEWAY_TESTS,
          title: "that no name was looked up for is reset, though an allowed name resolves to it",
        },
      ],
    },
    {
      id: "A14",
      title: "names beside a pattern",
      forbidden: onPort(7000, [
        "w.example",
        "eviw.example",
        "a.b.w.example",
        "b.w.example.evil.net",
        "x.example",
        "other.x.example",
        "xn--a-ecp.x.example",
        "tree.example",
      ]),
      permitted: onPort(7000, ["b.w.example", "A.X.Example."]),
    },
    {
      id: "A15",
      title: "another port of an allowed host",
      forbidden: [tcp("a.x.example", 7001), tcp("a.x.example", 22), tcp("web.example", 8443)],
      permitted: [ALLOWED],
    },
    {
      id: "A16",
      title: "what a deny takes out of an allow: a name, a path",
      forbidden: [
        tcp("no.w.example", 7000),
        ...["/admin/x", "/ADMIN/", "//admin/x", "/%61dmin/x"].map((path) =>
          tls("part.example", request("part.example", path)),
        ),
      ],
      permitted: [tcp("b.w.example", 7000), tls("part.example", request("part.example", "/x"))],
      elsewhere: [
        { file: "src/egress/policy/decide.test.ts", title: "the table in docs/egress.md" },
      ],
    },
  ];
}

function showsNeighbour(text: string): boolean {
  const port = NEIGHBOUR_PORT.toString(16).toUpperCase();
  return new RegExp(`:${port} 0+:0000 0A `).test(text);
}

function hostAddresses(): string[] {
  const all = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  return all.map(({ address }) => address).filter((each) => !/^(127\.|::1$|fe80:)/.test(each));
}
