/**
 * One relay of the egress bench, a process of its own: the gateway, or what it is compared with. argv: the kind, a
 * directory of the bench, and the ports of the server. Tells its ports by IPC and does what it is told.
 */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, createServer, type AddressInfo, type Server } from "node:net";
import { join } from "node:path";
import { connect as connectTls, createServer as createTlsServer } from "node:tls";
import { compilePolicy } from "../src/egress/policy/compile-policy.ts";
import { openGateway, type Gateway } from "../src/egress/gateway.ts";
import type { HostName } from "../src/egress/host-name.ts";
import { openAuthority } from "../src/egress/inspection/authority.ts";
import { HostTrust } from "../src/egress/inspection/host-trust.ts";
import { ServerContexts } from "../src/egress/inspection/server-contexts.ts";
import { parseMirrors } from "../src/egress/mirrors.ts";
import type { EgressPolicy } from "../src/egress/policy/policy.ts";

export type RelayKind = "gateway" | "relay" | "tls-proxy";
export type RelayOrder = { kind: "policy"; allow: string[] } | { kind: "memory" };
export type RelayReport =
  | { kind: "ports"; ports: Record<string, number>; authority?: string }
  /** How long it took to hold, open connections included. */
  | { kind: "held"; elapsedMs: number }
  | { kind: "memory"; bytes: number };

const [kind = "", directory = "", plainPort = "", tlsPort = ""] = process.argv.slice(2);
const pem = readFileSync(join(directory, "server.pem"), "utf8");
const serverAuthority = readFileSync(join(directory, "authority.pem"), "utf8");
/** A sandbox may hold 512 connections, so that many need several. */
const SANDBOXES = 8;

function report(content: RelayReport): void {
  process.send?.(content);
}

async function listen(server: Server): Promise<number> {
  server.listen({ port: 0, host: "127.0.0.1", backlog: 4096 });
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

/** As anybody would write it. */
async function openPlainRelay(): Promise<void> {
  const server = createServer({ noDelay: true, allowHalfOpen: true }, (client) => {
    const upstream = connect({ port: Number(plainPort), host: "127.0.0.1", noDelay: true });
    client.pipe(upstream).pipe(client);
    for (const [one, other] of [[client, upstream] as const, [upstream, client] as const]) {
      one.on("error", () => other.destroy());
    }
  });
  report({ kind: "ports", ports: { plain: await listen(server) } });
}

/** Opens TLS on both sides and copies what is inside. */
async function openTlsProxy(): Promise<void> {
  const server = createTlsServer({ key: pem, cert: pem, noDelay: true }, (client) => {
    const upstream = connectTls({
      port: Number(tlsPort),
      host: "127.0.0.1",
      servername: "tls.example",
      ca: serverAuthority,
    });
    client.pipe(upstream).pipe(client);
    for (const [one, other] of [[client, upstream] as const, [upstream, client] as const]) {
      one.on("error", () => other.destroy());
    }
  });
  report({ kind: "ports", ports: { tls: await listen(server) }, authority: serverAuthority });
}

const policyOf = (allow: string[]): EgressPolicy =>
  compilePolicy({ preset: "locked", agentHosts: [], allow, deny: [] });

/** The real gateway, on sockets of loopback in place of a sandbox's; each port stands for one destination. */
async function openGateways(): Promise<void> {
  const authority = openAuthority(join(directory, "inspection.pem"));
  const inspection = { contexts: new ServerContexts(authority), trust: new HostTrust() };
  const gateways: Gateway[] = [];
  const ports: Record<string, number> = {};
  const open = async (label: string, place: string, allow: string[]): Promise<void> => {
    const [name = "", portText = ""] = place.split(":");
    const port = Number(portText);
    const tcp = createServer();
    ports[label] = await listen(tcp);
    const udp = createSocket("udp4");
    await new Promise<void>((resolve) => udp.bind(0, "127.0.0.1", resolve));
    const names = { found: "" };
    const gateway = openGateway({
      sandboxId: label,
      sandboxName: label,
      sockets: { tcp, udp: [udp] },
      policy: policyOf([place]),
      mirrors: parseMirrors(`${place}=127.0.0.1:${port === 443 ? tlsPort : plainPort}`),
      mirrorCertificates: [serverAuthority],
      inspection,
      record: () => undefined,
      originalDestination: () => ({ address: names.found, port }),
    });
    names.found = await lookUp(udp.address().port, name as HostName);
    gateway.setPolicy(policyOf(allow));
    gateways.push(gateway);
  };
  await open("opaque", "raw.example:7000", ["raw.example:7000"]);
  await open("tls", "tls.example:443", ["tls.example"]);
  await open("inspected", "tls.example:443", ["tls.example/**"]);
  for (let at = 0; at < SANDBOXES; at += 1) {
    await open(`crowd-${at}`, `${at % 2 === 0 ? "a" : "b"}.example:7000`, ["a.example:7000"]);
  }
  process.on("message", (order: RelayOrder) => {
    if (order.kind === "memory") {
      globalThis.gc?.();
      return report({ kind: "memory", bytes: process.memoryUsage().rss });
    }
    const start = performance.now();
    for (const gateway of gateways.slice(3)) gateway.setPolicy(policyOf(order.allow));
    report({ kind: "held", elapsedMs: performance.now() - start });
  });
  report({ kind: "ports", ports, authority: authority.certificate });
}

/** Asks the gateway's DNS as a program inside would, and gives the synthetic address. */
async function lookUp(port: number, name: HostName): Promise<string> {
  const socket = createSocket("udp4");
  const labels = name
    .split(".")
    .map((label) => Buffer.concat([Buffer.of(label.length), Buffer.from(label)]));
  const head = Buffer.from("000701000001000000000000", "hex");
  const query = Buffer.concat([head, ...labels, Buffer.from("0000010001", "hex")]);
  socket.send(query, port, "127.0.0.1");
  const [answer] = (await once(socket, "message")) as [Buffer];
  socket.close();
  return [...answer.subarray(-4)].join(".");
}

process.on("disconnect", () => process.exit());
if (kind === "gateway") await openGateways();
else if (kind === "tls-proxy") await openTlsProxy();
else await openPlainRelay();
