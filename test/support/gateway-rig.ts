import { createSocket, type Socket as DatagramSocket } from "node:dgram";
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { decode, encode, type RecordType } from "dns-packet";
import { afterEach, expect } from "vitest";
import { parseAddress } from "../../src/egress/address.ts";
import { compilePolicy } from "../../src/egress/policy/compile-policy.ts";
import type { Inspection } from "../../src/egress/inspection/inspect.ts";
import { openGateway, type Gateway } from "../../src/egress/gateway.ts";
import { parseMirrors } from "../../src/egress/mirrors.ts";
import type { ResolveName } from "../../src/egress/dns/name-resolver.ts";
import type { EgressPolicy } from "../../src/egress/policy/policy.ts";
import type { OriginalDestination } from "../../src/egress/target.ts";
import type { Upstream } from "../../src/egress/upstream/tunnel.ts";
import { egressRecordSchema, type EgressRecord } from "../../src/protocol/egress.ts";

export interface RigOptions {
  allow?: string[];
  deny?: string[];
  preset?: string;
  mirrors?: string;
  mirrorCertificates?: readonly string[];
  inspection?: Inspection;
  upstream?: Upstream;
  halfOpenIdleMs?: number;
  /** What each name resolves to outside; a function is asked each time. */
  addresses?: Record<string, string[] | (() => string[])>;
}

/** A gateway on loopback, and a client that says itself where each connection was going. */
export interface GatewayRig {
  readonly gateway: Gateway;
  readonly records: EgressRecord[];
  /** Asks the gateway's DNS; gives the address or the response code. */
  lookup(name: string, type?: RecordType): Promise<string>;
  /** Opens a connection as if the kernel had redirected it from there. */
  dial(address: string, port: number): Promise<Socket>;
  /** `lookup`, then `dial`. */
  connect(name: string, port: number): Promise<Socket>;
  /** Resolves with the first record that has these fields, now or later. */
  recorded(fields: Partial<EgressRecord>): Promise<EgressRecord>;
  setPolicy(options: RigOptions): void;
  close(): Promise<void>;
}

export function policyOf(options: RigOptions): EgressPolicy {
  const { preset = "locked", allow = [], deny = [] } = options;
  return compilePolicy({ preset, agentHosts: [], allow, deny });
}

async function openGatewayRig(options: RigOptions = {}): Promise<GatewayRig> {
  const tcp = createServer();
  tcp.listen(0, "127.0.0.1");
  await once(tcp, "listening");
  const udp = createSocket("udp4");
  await new Promise<void>((resolve) => udp.bind(0, "127.0.0.1", resolve));
  const destinations: (OriginalDestination | undefined)[] = [];
  const waiting = new Set<() => void>();
  const records: EgressRecord[] = [];
  const clients = new Set<Socket>();
  const gateway = openGateway({
    sandboxId: "s-test",
    sandboxName: "my-sandbox",
    sockets: { tcp, udp: [udp] },
    policy: policyOf(options),
    mirrors: parseMirrors(options.mirrors ?? ""),
    mirrorCertificates: options.mirrorCertificates,
    inspection: options.inspection,
    upstream: options.upstream,
    halfOpenIdleMs: options.halfOpenIdleMs,
    record: (record) => {
      records.push(egressRecordSchema.strict().parse(record));
      for (const look of waiting) look();
    },
    resolveName: resolveFrom(options.addresses ?? {}),
    originalDestination: () => destinations.shift(),
  });

  const { port: gatewayPort } = tcp.address() as AddressInfo;
  async function dial(address: string, port: number): Promise<Socket> {
    destinations.push({ address, port });
    const client = connect({ port: gatewayPort, host: "127.0.0.1", allowHalfOpen: true });
    clients.add(client);
    client.on("error", () => undefined);
    // A refusal may arrive together with the connection.
    await new Promise((resolve) => client.once("connect", resolve).once("close", resolve));
    return client;
  }

  const lookup = (name: string, type: RecordType = "A") => ask(udp, name, type);
  return {
    gateway,
    records,
    lookup,
    dial,
    connect: async (name, port) => dial(await lookup(name), port),
    recorded(fields) {
      return new Promise((resolve) => {
        const look = () => {
          const found = records.find((record) => matches(record, fields));
          if (found === undefined) return;
          waiting.delete(look);
          resolve(found);
        };
        waiting.add(look);
        look();
      });
    },
    setPolicy: (changed) => gateway.setPolicy(policyOf(changed)),
    async close() {
      await gateway.close();
      for (const client of clients) client.destroy();
    },
  };
}

function matches(record: EgressRecord, fields: Partial<EgressRecord>): boolean {
  return Object.entries(fields).every(
    ([key, value]) => record[key as keyof EgressRecord] === value,
  );
}

function resolveFrom(table: Required<RigOptions>["addresses"]): ResolveName {
  return (name) => {
    const entry = table[name];
    const texts = typeof entry === "function" ? entry() : entry;
    if (texts === undefined)
      return Promise.resolve({ ok: false, problem: "it is not in the table" });
    const addresses = texts.flatMap((text) => parseAddress(text) ?? []);
    return Promise.resolve({ ok: true, addresses });
  };
}

async function ask(server: DatagramSocket, name: string, type: RecordType): Promise<string> {
  const client = createSocket("udp4");
  const questions = [{ name, type }];
  client.send(encode({ type: "query", id: 1, questions }), server.address().port, "127.0.0.1");
  const [message] = (await once(client, "message")) as [Buffer];
  client.close();
  const answer = decode(message) as ReturnType<typeof decode> & { rcode: string };
  const [first] = answer.answers ?? [];
  return first?.type === "A" ? first.data : answer.rcode;
}

/** A server of the test that keeps what each connection sent. */
export interface Peer {
  readonly server: Server;
  readonly port: number;
  readonly address: string;
  /** The next accepted connection, with an error listener. */
  accepted(): Promise<Socket>;
  readonly connections: number;
  close(): Promise<void>;
}

async function openPeer(onConnection?: (socket: Socket) => void): Promise<Peer> {
  const sockets: Socket[] = [];
  const arrived: Socket[] = [];
  const waiting: ((socket: Socket) => void)[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => undefined);
    sockets.push(socket);
    onConnection?.(socket);
    const next = waiting.shift();
    if (next === undefined) arrived.push(socket);
    else next(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    server,
    port,
    address: "127.0.0.1",
    accepted: () => {
      const socket = arrived.shift();
      if (socket !== undefined) return Promise.resolve(socket);
      return new Promise((resolve) => waiting.push(resolve));
    },
    get connections() {
      return sockets.length;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      if (server.listening) await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** How a client's connection ended, and what it got. */
export interface ClientEnding {
  received: string;
  /** `reset` or `closed`. */
  ending: string;
}

export function readToEnd(client: Socket): Promise<ClientEnding> {
  const chunks: Buffer[] = [];
  client.on("data", (bytes: Buffer) => chunks.push(bytes));
  client.on("end", () => client.end());
  return new Promise((resolve) => {
    const finish = () => {
      const code = (client.errored as NodeJS.ErrnoException | null)?.code ?? "";
      const ending = /^(ECONNRESET|EPIPE)$/.test(code) ? "reset" : code || "closed";
      resolve({ received: Buffer.concat(chunks).toString("latin1"), ending });
    };
    if (client.closed) finish();
    else client.once("close", finish);
  });
}

export async function expectRefused(client: Socket): Promise<void> {
  expect(await readToEnd(client)).toEqual({ received: "", ending: "reset" });
}

/** Opens rigs, peers and servers that are closed after each test of the file. */
export interface Yard {
  rig(options: RigOptions): Promise<GatewayRig>;
  peer(onConnection?: (socket: Socket) => void): Promise<Peer>;
  /** Closed after the test, the last one first. */
  keep(close: () => Promise<unknown>): void;
}

export function openYard(): Yard {
  const closing: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const close of closing.splice(0).toReversed()) await close();
  });
  return {
    async rig(options) {
      const rig = await openGatewayRig(options);
      closing.push(() => rig.close());
      return rig;
    },
    async peer(onConnection) {
      const peer = await openPeer(onConnection);
      closing.push(() => peer.close());
      return peer;
    },
    keep: (close) => closing.push(close),
  };
}

/** What names of the tests resolve to outside. */
export const LOCAL = { "a.example": ["127.0.0.1"], "b.example": ["127.0.0.1"] };

/** An opaque rule for one name that the test's own servers satisfy. */
export function opaque(name: string, port: number): string {
  return `${name}:${port},opaque,127.0.0.1`;
}
