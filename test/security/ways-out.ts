/** Ways out of real sandboxes that only some languages have words for, under the widest policy, `open`. */
import { once } from "node:events";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CONNECTIONS_MAX, openGateway, type Gateway } from "../../src/egress/gateway.ts";
import { parseMirrors } from "../../src/egress/mirrors.ts";
import type { EgressRecord } from "../../src/protocol/egress.ts";
import type { CaptureSockets } from "../../src/sandbox/capture/capture-sockets.ts";
import type { RunningSandbox } from "../../src/sandbox/provider.ts";
import {
  answer,
  NEVER,
  run,
  SandboxYard,
  sh,
  type MakeProvider,
} from "../../src/testing/conformance/sandbox-yard.ts";
import { policyOf } from "../support/gateway-rig.ts";
import type { Requirement } from "../support/requirement.ts";
import { NETWORK_ATTACKS } from "./network-attacks.ts";

const PATIENCE = { timeout: 20_000 };
const HOST_SECRET = "from the host";

/** Each opens as many connections as its argument says, sends half a head on each, and holds them until it is told. */
const HOLDERS: Readonly<Record<string, readonly string[]>> = {
  sh: [
    "bash",
    "-c",
    `ulimit -n 4096; for ((n = 0; n < $0; n++)); do exec {held}<>/dev/tcp/held.example/80 && printf 'GET / H' >&$held
    done 2>/dev/null; echo held; read -r`,
  ],
  Node: [
    "node",
    "-e",
    `const { connect } = require("node:net");
    const opened = Array.from({ length: Number(process.argv[1]) }, () => new Promise((resolve) => {
      const socket = connect(80, "held.example", () => socket.write("GET / H", resolve));
      socket.on("error", resolve);
    }));
    Promise.all(opened).then(() => console.log("held"));
    process.stdin.once("data", () => process.exit());`,
  ],
  Python: [
    "/usr/bin/python3",
    "-c",
    `import socket, sys
held = []
for _ in range(int(sys.argv[1])):
    try: held.append(socket.create_connection(("held.example", 80))); held[-1].send(b"GET / H")
    except OSError: pass
print("held", flush=True)
input()`,
  ],
};

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

/** What DNS calls a refusal. */
const REFUSED = 5;

/** A server of its own, and what is at the address that serves lookups. */
const OWN_ADDRESS = `
import socket, threading
server = socket.create_server(("0.0.0.0", 4700)); server.settimeout(1)
def served(host):
    try:
        with socket.create_connection((host, 4700), 2) as s:
            s.sendall(b"x")
            return s.recv(1)
    except OSError: return b"refused"
def accept():
    try: server.accept()[0].sendall(b"y")
    except OSError: pass
threading.Thread(target=accept).start(); print(served("127.0.0.1"))
print(served("198.19.255.255"))`;

export interface WaysOut {
  name: string;
  needed: Requirement;
  makeProvider: MakeProvider;
  /** Which of `sh`, `Node` and `Python` its sandboxes have. */
  clients: readonly string[];
}

export function describeWaysOut({ name, needed, makeProvider, clients }: WaysOut): void {
  describe.skipIf(!needed.met)(needed.title(`ways out of a sandbox of ${name}`), () => {
    let yard: SandboxYard;
    let host: Server;
    /** Never says anything. */
    let silent: Server;
    const sockets = new Set<Socket>();
    const gateways: Gateway[] = [];
    const records: EgressRecord[] = [];

    async function start(): Promise<RunningSandbox> {
      const specification = yard.specify();
      const onCapture = (sockets: CaptureSockets): void => {
        const gateway = openGateway({
          sandboxId: specification.id,
          sandboxName: specification.name,
          sockets,
          policy: policyOf({ preset: "open", deny: ["denied.example", "**.denied.example"] }),
          mirrors: parseMirrors(
            `allowed.example:7000=127.0.0.1:${portOf(host)},held.example:80=127.0.0.1:${portOf(silent)}`,
          ),
          record: (record) => records.push(record),
        });
        gateways.push(gateway);
      };
      await yard.provider.create(specification, NEVER);
      return yard.provider.start(specification, { onCapture }, NEVER);
    }

    beforeAll(async () => {
      yard = new SandboxYard(makeProvider);
      host = createServer((socket) => socket.on("error", () => undefined).end(HOST_SECRET));
      silent = createServer(
        (socket) => void sockets.add(socket.on("error", () => undefined).resume()),
      );
      for (const server of [host, silent]) {
        server.listen(0, "127.0.0.1");
        await once(server, "listening");
      }
    });
    afterAll(async () => {
      await Promise.all(gateways.map((gateway) => gateway.close()));
      await yard.close();
      for (const socket of sockets) socket.destroy();
      for (const server of [host, silent]) server.close();
    });

    test("are refused whatever the kind of socket, address, option or packet, and the allowed one works", async () => {
      const sandbox = await start();
      const argv = ["/usr/bin/python3", "-", String(portOf(host))];
      const { output, errors } = await run(sandbox, argv, { input: NETWORK_ATTACKS });
      expect(errors).toBe("");
      const results = Object.entries(JSON.parse(output) as Record<string, unknown>);
      const permitted = results.filter(([name]) => name.startsWith("yes "));
      expect(Object.fromEntries(permitted)).toEqual({
        "yes tcp": "open",
        "yes lookup": "198.18.",
        "yes name": HOST_SECRET,
      });
      const opened = results.filter(
        ([name, became]) =>
          !name.startsWith("yes ") &&
          !/^E[A-Z]+$/.test(String(became)) &&
          !(name.startsWith("data in a name") && became === REFUSED),
      );
      expect(opened).toEqual([]);
      expect(results.length).toBeGreaterThan(50);
      expect(records.some(({ name }) => name?.endsWith(".denied.example"))).toBe(true);
    });

    test("an address of its own serves IPv4 lookups, and is a way around nothing", async () => {
      const sandbox = await start();
      expect(await answer(sandbox, "getent ahostsv4 allowed.example")).toContain("198.18.");
      const { output, errors } = await run(sandbox, ["/usr/bin/python3", "-"], {
        input: OWN_ADDRESS,
      });
      expect(errors + output).toBe("b'y'\nb'refused'\n");
      const last = records.findLast(({ port: asked }) => asked === 4700);
      expect(last).toMatchObject({ action: "deny", reasonCode: "address-expired" });
    });

    test.each(Object.entries(HOLDERS).filter(([client]) => clients.includes(client)))(
      "a sandbox whose %s holds every connection it may leaves others theirs, and its own when it lets go",
      async (_client, argv) => {
        records.length = 0;
        const [greedy, other] = await Promise.all([start(), start()]);
        const holder = await greedy.exec({ argv: [...argv, String(CONNECTIONS_MAX + 88)] }, NEVER);
        await once(holder.output, "data");
        await expect
          .poll(
            () => records.some((record) => record.reasonCode === "too-many-connections"),
            PATIENCE,
          )
          .toBe(true);
        const fetch = "exec 3<>/dev/tcp/allowed.example/7000; cat <&3";
        expect(await answer(other, `bash -c '${fetch}'`)).toBe(HOST_SECRET);
        holder.input.end("\n");
        await holder.ended;
        await expect
          .poll(async () => (await sh(greedy, `bash -c '${fetch}'`)).output, PATIENCE)
          .toBe(HOST_SECRET);
      },
    );
  });
}
