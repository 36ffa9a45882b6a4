/**
 * Groups A, B and C of the list of attacks, each case from `sh`, Node and Python inside real sandboxes: what is
 * forbidden is blocked, and its permitted twin works. The cases are in network/.
 */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { formatAddress, parseAddress } from "../../src/egress/address.ts";
import { openGateway, type Gateway } from "../../src/egress/gateway.ts";
import { HostTrust } from "../../src/egress/inspection/host-trust.ts";
import { parseMirrors } from "../../src/egress/mirrors.ts";
import type { ResolveName } from "../../src/egress/dns/name-resolver.ts";
import { createUpstream, type Upstream } from "../../src/egress/upstream/tunnel.ts";
import type { EgressRecord } from "../../src/protocol/egress.ts";
import type { CaptureSockets } from "../../src/sandbox/capture/capture-sockets.ts";
import type { RunningSandbox } from "../../src/sandbox/provider.ts";
import { createLocalProvider } from "../../src/sandbox/providers/local/provider.ts";
import { NEVER, run, SandboxYard } from "../../src/testing/conformance/sandbox-yard.ts";
import { policyOf } from "../support/gateway-rig.ts";
import { openInspection } from "../support/inspection-yard.ts";
import { allOf, program } from "../support/requirement.ts";
import { GREETING, PLACES, type Attempt, type NetworkCase, type Place } from "./network/attempt.ts";
import { CLIENTS } from "./network/clients.ts";
import { DATAGRAMS } from "./network/datagrams.ts";
import { NEIGHBOUR_PORT, namesAndRoutes } from "./network/names.ts";
import { openOutside, type Outside } from "./network/outside.ts";
import { ADDRESSES, rulesFor } from "./network/rules.ts";
import { PARSING } from "./network/parsing.ts";
import { RELAY_PORT, TUNNELS } from "./network/tunnels.ts";

const programs = ["crun", "unshare", "nsenter", "bash", "openssl", "curl", "perl"];
const needed = allOf(...programs.map(program));
const NODE_TOOLCHAIN = dirname(dirname(process.execPath));
const ALL = [...namesAndRoutes({ port: 0 }), ...DATAGRAMS, ...PARSING, ...TUNNELS];
const CLIENT_NAMES = Object.keys(CLIENTS) as (keyof typeof CLIENTS)[];

describe("the table of cases", () => {
  test("has every case of the groups A, B and C, in order", () => {
    const ids = Array.from(
      { length: 43 },
      (_, at) => `${at < 16 ? "A" : at < 24 ? "B" : "C"}${at + 1}`,
    );
    expect(ALL.map(({ id }) => id)).toEqual(ids);
  });

  test.each(ALL)("shows both verdicts for $id, or says why it cannot", (shown) => {
    const isTried = shown.forbidden.length > 0 && shown.permitted.length > 0;
    expect(isTried || (shown.limit ?? "").length > 20).toBe(true);
    for (const { file, title } of shown.elsewhere ?? []) {
      expect([file, title, readFileSync(file, "utf8").includes(title)]).toEqual([
        file,
        title,
        true,
      ]);
    }
  });
});

/** Each attempt by the token that it carries; a client's results have the same keys. */
type Tokens = Map<string, { attempt: Attempt; verdict: "blocked" | "works" }>;

describe.skipIf(!needed.met)(needed.title("from inside a sandbox"), () => {
  let yard: SandboxYard;
  let outside: Outside;
  let cases: readonly NetworkCase[];
  let isRebound = false;
  const sandboxes = new Map<Place, RunningSandbox>();
  const gateways = new Map<Place, Gateway>();
  const records: EgressRecord[] = [];
  const closing: (() => Promise<unknown>)[] = [];
  const verdicts = new Map<string, string>();

  const resolveName: ResolveName = async (name) => {
    const text = ADDRESSES[name]?.[isRebound ? 1 : 0];
    const address = parseAddress(text ?? "");
    return address === undefined
      ? { ok: false, problem: "it is not in the table" }
      : { ok: true, addresses: [address] };
  };

  async function start(place: Place, policy: Parameters<typeof policyOf>[0]): Promise<void> {
    const { authority, inspection } = openInspection({ keep: (close) => closing.push(close) });
    const certificates = [authority.certificate];
    const specification = yard.specify({ toolchains: [NODE_TOOLCHAIN], certificates });
    const onCapture = (sockets: CaptureSockets): void => {
      const gateway = openGateway({
        sandboxId: place,
        sandboxName: place,
        sockets,
        policy: policyOf(policy),
        mirrors: parseMirrors(outside.mirrors),
        mirrorCertificates: [outside.authority],
        inspection,
        resolveName,
        upstream: place === "ruled" ? throughProxy(outside.proxy) : undefined,
        record: (record) => records.push(record),
      });
      gateways.set(place, gateway);
    };
    await yard.provider.create(specification, NEVER);
    sandboxes.set(place, await yard.provider.start(specification, { onCapture }, NEVER));
  }

  /** A server of the sandbox's own that lives as long as it. */
  async function serve(place: Place, script: string): Promise<void> {
    const argv = ["/usr/bin/python3", "-c", script];
    const server = await sandboxOf(place).exec({ argv }, NEVER);
    await once(server.output, "data");
  }

  function sandboxOf(place: Place): RunningSandbox {
    const sandbox = sandboxes.get(place);
    if (sandbox === undefined) throw new TypeError(`no sandbox ${place}`);
    return sandbox;
  }

  /** Makes the attempts by one client, each in its sandbox, and gives what each became. */
  async function tryAll(
    client: keyof typeof CLIENTS,
    tokens: Tokens,
  ): Promise<Map<string, string>> {
    const found = new Map<string, string>();
    const { argv, cannot } = CLIENTS[client];
    await Promise.all(
      PLACES.map(async (place) => {
        const input = [...tokens]
          .filter(
            ([, { attempt }]) => (attempt.from ?? "ruled") === place && !(attempt.by in cannot),
          )
          .map(([token, { attempt }]) => `${spell(token, attempt)}\n`);
        const environment = { NO_PROXY: "*", no_proxy: "*", http_proxy: "http://10.0.0.1:3128" };
        const request = { environment, input: input.join("") };
        const { output, errors } = await run(sandboxOf(place), argv, request);
        const lines = output.trim().split("\n").filter(Boolean);
        expect([lines.length, errors]).toEqual([input.length, expect.anything()]);
        for (const line of lines) {
          const [token = "", bytes = ""] = line.split(" ");
          found.set(token, Buffer.from(bytes, "base64").toString("latin1"));
        }
      }),
    );
    return found;
  }

  function tokensOf(verdict: "blocked" | "works", client: string): Tokens {
    const kind = verdict === "blocked" ? "forbidden" : "permitted";
    return new Map(
      cases.flatMap(({ id, [kind]: attempts }) =>
        attempts.map(
          (attempt, at) => [`${id}.${kind[0]}${at}.${client}z`, { attempt, verdict }] as const,
        ),
      ),
    );
  }

  async function judge(verdict: "blocked" | "works"): Promise<void> {
    await Promise.all(
      CLIENT_NAMES.map(async (client) => {
        const tokens = tokensOf(verdict, client);
        const results = await tryAll(client, tokens);
        for (const [token, { attempt }] of tokens)
          verdicts.set(token, judgeOne(token, attempt, results));
      }),
    );
  }

  function judgeOne(token: string, attempt: Attempt, results: Map<string, string>): string {
    const received = results.get(token);
    if (received === undefined) return "unspeakable";
    const isReached = attempt.isReached ?? ((text: string) => text.includes(GREETING));
    return isReached(received) || outside.saw(token) ? "works" : "blocked";
  }

  beforeAll(async () => {
    yard = new SandboxYard(createLocalProvider);
    outside = await openOutside();
    cases = [...namesAndRoutes(outside), ...DATAGRAMS, ...PARSING, ...TUNNELS];
    await Promise.all([
      start("ruled", rulesFor(outside)),
      start("open", { preset: "open" }),
      start("empty", {}),
    ]);
    await Promise.all([serve("open", NEIGHBOUR), serve("ruled", RELAY)]);
    await judge("works");
    isRebound = true;
    await judge("blocked");
  });
  afterAll(async () => {
    await Promise.all([...gateways.values()].map((gateway) => gateway.close()));
    await yard.close();
    await outside.close();
    for (const close of closing) await close();
  });

  const tried = ALL.filter(({ forbidden }) => forbidden.length > 0);
  describe.each(tried)("$id: $title", ({ id, forbidden, permitted }) => {
    test.each(CLIENT_NAMES)("is blocked for %s, and its permitted twin works", (client) => {
      const { cannot } = CLIENTS[client];
      const expectAll = (attempts: readonly Attempt[], kind: string, verdict: string): void => {
        const became = attempts.map((attempt, at) => [
          `${attempt.by} ${attempt.host} ${attempt.port ?? ""} ${at}`,
          verdicts.get(`${id}.${kind}${at}.${client}z`),
        ]);
        const wanted = attempts.map((attempt, at) => [
          `${attempt.by} ${attempt.host} ${attempt.port ?? ""} ${at}`,
          attempt.by in cannot ? "unspeakable" : verdict,
        ]);
        expect(became).toEqual(wanted);
      };
      const own = cases.find((each) => each.id === id);
      expectAll(own?.forbidden ?? forbidden, "f", "blocked");
      expectAll(own?.permitted ?? permitted, "p", "works");
    });
  });

  test("every refusal is recorded, with its place and a reason", () => {
    const refused = records.filter(({ action }) => action !== "allow");
    const places = new Set(refused.flatMap(({ name, address }) => [name, address]));
    const isOwn = (host: string): boolean => /^(127\.|::1$|::ffff:127\.)/.test(host);
    const missing = cases
      .flatMap(({ forbidden }) => forbidden)
      .filter(({ by }) => by === "tcp" || by === "tls")
      .map(({ host }) => normalise(host))
      .filter((host) => host !== undefined && !isOwn(host) && !places.has(host));
    expect(missing).toEqual([]);
    expect(refused.every(({ reason }) => reason.length > 0)).toBe(true);
  });

  test("counts what passes through a WebSocket", () => {
    const opened = records.find(
      ({ kind, action, name }) =>
        kind === "request" && action === "allow" && name === "chat.example",
    );
    const closed = records.find(
      ({ kind, connectionId }) => kind === "close" && connectionId === opened?.connectionId,
    );
    expect(closed?.bytesIn).toBeGreaterThan(GREETING.length);
    expect(closed?.bytesOut).toBeGreaterThan(0);
  });

  test.each(CLIENT_NAMES)(
    "%s reaches nothing once a live change took every rule away",
    async (client) => {
      gateways.get("ruled")?.setPolicy(policyOf({}));
      await expectNothing(client);
    },
  );

  test.each(CLIENT_NAMES)("%s reaches nothing once its gateway is gone", async (client) => {
    await gateways.get("ruled")?.close();
    await expectNothing(client);
  });

  /** Sockets and files are the sandbox's own, which no gateway gives. */
  async function expectNothing(client: keyof typeof CLIENTS): Promise<void> {
    const outward = [...tokensOf("works", client)].filter(
      ([, { attempt }]) => attempt.from === undefined && !["socket", "read"].includes(attempt.by),
    );
    const again = new Map(outward.map(([token, rest]) => [`again-${token}`, rest]));
    const results = await tryAll(client, again);
    const reached = [...again].filter(
      ([token, { attempt }]) => judgeOne(token, attempt, results) === "works",
    );
    expect(reached).toEqual([]);
    expect(results.size).toBeGreaterThan(30);
  }
});

/** What is public and has no mirror goes out here, so that an address by itself can be a permitted twin. */
function throughProxy(port: number): Upstream {
  const everything = { isTls: false, certificates: [], exceptNames: [], exceptRanges: [] };
  const proxy = { host: "127.0.0.1", port, resolve: "here", ...everything } as const;
  return createUpstream(proxy, { credentials: undefined, trust: new HostTrust() });
}

function spell(token: string, { by, host, port, servername, alpn, send }: Attempt): string {
  const isName = by === "tls" && !/^[\d.:]+$/.test(host);
  const name = servername ?? (isName ? host : "-");
  const bytes = send === undefined ? "" : Buffer.from(send(token)).toString("base64");
  return [token, by, host, port ?? "-", name, alpn ?? "-", bytes || "-"].join(" ");
}

/** As a record has it; undefined for a spelling that the system's resolver reads its own way. */
function normalise(host: string): string | undefined {
  const address = parseAddress(host);
  if (address !== undefined) return formatAddress(address);
  return /^[a-z][a-z0-9.-]*\.[a-z]+$/i.test(host) ? host.toLowerCase() : undefined;
}

const NEIGHBOUR = `
import socket
server = socket.create_server(("", ${NEIGHBOUR_PORT}), family=socket.AF_INET6, dualstack_ipv6=True)
v4 = socket.socket()
print("ready", flush=True)
while True:
    with server.accept()[0] as s: s.sendall(b"${GREETING}")`;

const RELAY = `
import socket, threading
server = socket.create_server(("127.0.0.1", ${RELAY_PORT}))
print("ready", flush=True)
def serve(s):
    with s:
        host, port = s.recv(4096).decode().split(" ")[1].rsplit(":", 1)
        try:
            with socket.create_connection((host, int(port)), 10) as out:
                while part := out.recv(4096): s.sendall(part)
        except OSError: pass
while True: threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()`;
