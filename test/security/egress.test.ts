/**
 * Groups A, B and C of the attack list, made from inside real sandboxes under the widest policy, `open`.
 * Covered elsewhere: A1–A3, A6–A8, A14–A16 and B20, by three clients each, policy.test.ts; A4
 * src/egress/compile-policy.test.ts; A5–A8, A11–A16 src/egress/decide.test.ts and gateway.test.ts; B18
 * name-resolver.test.ts; C26–C33 http-message.test.ts, speech.test.ts, client-hello.test.ts and, inside TLS,
 * inspection/inspect.test.ts and http2.test.ts, which have C32, C34, C36 and C37 too; C35 test/egress; parsers are
 * fuzzed in test/fuzz; C42 test/provider/local-death.test.ts.
 */
import { once } from "node:events";
import { createServer, type AddressInfo, type Server } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CONNECTIONS_MAX, openGateway, type Gateway } from "../../src/egress/gateway.ts";
import { parseMirrors } from "../../src/egress/mirrors.ts";
import type { EgressRecord } from "../../src/protocol/egress.ts";
import type { CaptureSockets, RunningSandbox } from "../../src/sandbox/provider.ts";
import { createLocalProvider } from "../../src/sandbox/providers/local/provider.ts";
import { answer, NEVER, run, SandboxYard, sh } from "../../src/testing/conformance/sandbox-yard.ts";
import { policyOf } from "../support/gateway-rig.ts";
import { allOf, program } from "../support/requirement.ts";
import { NETWORK_ATTACKS } from "./network-attacks.ts";

const needed = allOf(...["crun", "unshare", "nsenter", "python3"].map(program));
const HOST_SECRET = "from the host";

describe.skipIf(!needed.met)(needed.title("ways out of a sandbox"), () => {
  let yard: SandboxYard;
  let host: Server;
  let port = 0;
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
        mirrors: parseMirrors(`allowed.example:7000=127.0.0.1:${port}`),
        record: (record) => records.push(record),
      });
      gateways.push(gateway);
    };
    await yard.provider.create(specification, NEVER);
    return yard.provider.start(specification, { onCapture }, NEVER);
  }

  beforeAll(async () => {
    yard = new SandboxYard(createLocalProvider);
    host = createServer((socket) => socket.on("error", () => undefined).end(HOST_SECRET));
    host.listen(0, "127.0.0.1");
    await once(host, "listening");
    port = (host.address() as AddressInfo).port;
  });
  afterAll(async () => {
    await Promise.all(gateways.map((gateway) => gateway.close()));
    await yard.close();
    host.close();
  });

  test("are refused whatever the kind of socket, address, option or packet, and the allowed one works", async () => {
    const sandbox = await start();
    const argv = ["/usr/bin/python3", "-", String(port)];
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
    const script = `
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
    const { output } = await run(sandbox, ["/usr/bin/python3", "-"], { input: script });
    expect(output).toBe("b'y'\nb'refused'\n");
    const last = records.findLast(({ port: asked }) => asked === 4700);
    expect(last).toMatchObject({ action: "deny", reasonCode: "address-expired" });
  });

  test("one sandbox that holds every connection it may leaves others theirs, and its own when it lets go", async () => {
    const [greedy, other] = await Promise.all([start(), start()]);
    const script = `
import socket, time
held = []
for _ in range(${CONNECTIONS_MAX + 88}):
    s = socket.socket(); s.setblocking(False); s.connect_ex(("10.1.2.3", 80)); held.append(s)
print("held", flush=True)
input()`;
    const holder = await greedy.exec({ argv: ["/usr/bin/python3", "-c", script] }, NEVER);
    await once(holder.output, "data");
    const fetch = "exec 3<>/dev/tcp/allowed.example/7000; cat <&3";
    expect(await answer(other, `bash -c '${fetch}'`)).toBe(HOST_SECRET);
    holder.input.end("\n");
    await holder.ended;
    await expect
      .poll(async () => (await sh(greedy, `bash -c '${fetch}'`)).output, { timeout: 5000 })
      .toBe(HOST_SECRET);
  });
});

/** What DNS calls a refusal. */
const REFUSED = 5;
