import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { beforeEach, describe, expect, test } from "vitest";
import {
  expectRefused,
  LOCAL,
  opaque,
  openYard,
  policyOf,
  readToEnd,
  type Peer,
} from "../../test/support/gateway-rig.ts";
import { readFirstBytes } from "./first-bytes.ts";
import { CONNECTIONS_MAX } from "./gateway.ts";
import type { HostName } from "./host-name.ts";

const yard = openYard();

describe("an address", () => {
  test("that no name was looked up for is reset, though an allowed name resolves to it", async () => {
    const peer = await yard.peer();
    const rig = await yard.rig({ allow: [opaque("a.example", peer.port)], addresses: LOCAL });
    await rig.lookup("a.example");
    await expectRefused(await rig.dial("93.184.215.14", peer.port));
    await rig.recorded({ reasonCode: "address-not-named", address: "93.184.215.14" });
    expect(peer.connections).toBe(0);
  });

  test.each(["93.184.215.14", "2606:4700::1", "::ffff:93.184.215.14", "64:ff9b::5db8:d70e"])(
    "%s is refused by an empty policy",
    async (address) => {
      const rig = await yard.rig({});
      await expectRefused(await rig.dial(address, 443));
      expect(rig.records).toMatchObject([{ kind: "connect", action: "deny" }]);
    },
  );

  test.each(["127.0.0.1", "127.0.0.53", "::1", "::ffff:127.0.0.1"])(
    "%s is the gateway itself, and refused even by a rule that names it",
    async (address) => {
      const peer = await yard.peer();
      const rig = await yard.rig({ allow: [`[${address}]:${peer.port}`] });
      await expectRefused(await rig.dial(address, peer.port));
      expect(rig.records).toMatchObject([{ reasonCode: "direct-to-gateway" }]);
    },
  );

  test.each(["169.254.169.254", "fd00:ec2::254", "100.100.100.200", "10.0.0.1"])(
    "%s is refused by the preset open",
    async (address) => {
      const rig = await yard.rig({ preset: "open" });
      await expectRefused(await rig.dial(address, 443));
      expect(rig.records).toMatchObject([{ reasonCode: "address-not-named", address }]);
    },
  );

  test("of ours that stands for no name is refused", async () => {
    const rig = await yard.rig({ preset: "open", allow: ["198.18.0.0/15:443"] });
    await expectRefused(await rig.dial("198.18.77.77", 443));
    expect(rig.records).toMatchObject([{ reasonCode: "address-expired" }]);
  });

  test("on port 53 is refused, since DNS is not spoken over TCP", async () => {
    const rig = await yard.rig({ preset: "open" });
    await expectRefused(await rig.dial("8.8.8.8", 53));
    expect(rig.records).toMatchObject([{ reasonCode: "dns-over-tcp" }]);
  });
});

describe("a name", () => {
  let peer: Peer;

  beforeEach(async () => {
    peer = await yard.peer((socket) => socket.end("welcome"));
  });

  test("that is allowed is dialled by the gateway, on the port that is allowed", async () => {
    const rig = await yard.rig({ allow: [opaque("a.example", peer.port)], addresses: LOCAL });
    const client = await rig.connect("a.example", peer.port);
    expect(await readToEnd(client)).toEqual({ received: "welcome", ending: "closed" });
    await rig.recorded({ kind: "close" });
    await expectRefused(await rig.connect("a.example", peer.port + 1));
    expect(rig.records).toMatchObject([
      { kind: "dns", action: "allow", name: "a.example", queryType: "A" },
      {
        kind: "connect",
        action: "allow",
        name: "a.example",
        address: "127.0.0.1",
        port: peer.port,
        protocol: "opaque",
        rule: { text: `a.example:${peer.port},opaque,127.0.0.1/32` },
      },
      { kind: "close", bytesIn: 7, bytesOut: 0 },
      { kind: "dns", action: "allow" },
      { kind: "connect", action: "deny", name: "a.example", reasonCode: "port-not-allowed" },
    ]);
    expect(rig.records[2]?.connectionId).toBe(rig.records[1]?.connectionId);
  });

  test("that is not allowed has no address, and none is dialled", async () => {
    const rig = await yard.rig({ allow: [opaque("a.example", peer.port)], addresses: LOCAL });
    expect(await rig.lookup("b.example")).toBe("REFUSED");
    expect(await rig.lookup("b.example", "TXT")).toBe("REFUSED");
    expect(rig.records).toMatchObject([
      { kind: "dns", action: "deny", name: "b.example", queryType: "A", reasonCode: "no-rule" },
      { kind: "dns", action: "deny", name: "b.example", queryType: "TXT" },
    ]);
  });

  test.each(["10.0.0.1", "192.168.0.1", "169.254.169.254", "::1", "64:ff9b::7f00:1"])(
    "that resolves to %s is refused when it is dialled",
    async (address) => {
      const allow = [`a.example:${peer.port},opaque`];
      const rig = await yard.rig({ allow, addresses: { "a.example": [address] } });
      await expectRefused(await rig.connect("a.example", peer.port));
      await rig.recorded({ reasonCode: "address-not-allowed", name: "a.example" });
    },
  );

  test("that is bound anew to a private address is refused the second time", async () => {
    const answers = [["127.0.0.1"], ["10.0.0.1"]];
    const rig = await yard.rig({
      allow: [opaque("a.example", peer.port)],
      addresses: { "a.example": () => answers.shift() ?? [] },
    });
    const first = await rig.connect("a.example", peer.port);
    expect((await readToEnd(first)).received).toBe("welcome");
    await expectRefused(await rig.connect("a.example", peer.port));
    expect(peer.connections).toBe(1);
  });

  test("is dialled only at those of its addresses that are granted", async () => {
    const rig = await yard.rig({
      allow: [opaque("a.example", peer.port)],
      addresses: { "a.example": ["10.255.255.1", "fe80::1", "127.0.0.1"] },
    });
    const client = await rig.connect("a.example", peer.port);
    expect((await readToEnd(client)).received).toBe("welcome");
    expect(await rig.recorded({ kind: "connect" })).toMatchObject({ address: "127.0.0.1" });
  });

  test("that does not resolve, or whose server is gone, is an error and a reset", async () => {
    const { port } = peer;
    const allow = [opaque("a.example", port), opaque("gone.example", port)];
    const rig = await yard.rig({ allow, addresses: LOCAL });
    await expectRefused(await rig.connect("gone.example", port));
    await peer.close();
    await expectRefused(await rig.connect("a.example", port));
    const errors = rig.records.filter((record) => record.kind === "connect");
    expect(errors).toMatchObject([
      { action: "error", reasonCode: "unreachable", name: "gone.example" },
      { action: "error", reasonCode: "unreachable", name: "a.example" },
    ]);
    expect(errors[1]?.reason).toContain("ECONNREFUSED");
  });
});

describe("a mirror", () => {
  test("takes the place of an allowed name's addresses, and of no other check", async () => {
    const peer = await yard.peer((socket) => socket.end("mirrored"));
    const mirrors = `a.example:22=127.0.0.1:${peer.port},b.example:22=127.0.0.1:${peer.port}`;
    const rig = await yard.rig({ allow: ["a.example:22", "c.example:22"], mirrors });
    const client = await rig.connect("a.example", 22);
    expect((await readToEnd(client)).received).toBe("mirrored");
    const target = `127.0.0.1:${peer.port}`;
    expect(await rig.recorded({ kind: "connect" })).toMatchObject({ mirror: target, port: 22 });
    expect(await rig.lookup("b.example")).toBe("REFUSED");
    rig.gateway.setPolicy(policyOf({ allow: ["a.example:22"], deny: ["a.example:22"] }));
    expect(await rig.lookup("a.example")).toBe("REFUSED");
    await expectRefused(await rig.dial("198.18.0.1", 22));
    expect(peer.connections).toBe(1);
  });
});

describe("a live change of policy", () => {
  test("resets what is not allowed any more before it returns, and nothing else", async () => {
    const peer = await yard.peer();
    const both = [opaque("a.example", peer.port), opaque("b.example", peer.port)];
    const rig = await yard.rig({ allow: both, addresses: LOCAL });
    const lost = await rig.connect("a.example", peer.port);
    const lostPeer = await peer.accepted();
    const kept = await rig.connect("b.example", peer.port);
    const keptPeer = await peer.accepted();
    const ended = Promise.all([readToEnd(lost), readToEnd(lostPeer)]);
    rig.gateway.setPolicy(policyOf({ allow: both.slice(1) }));
    expect((await ended).map(({ ending }) => ending)).toEqual(["reset", "reset"]);
    await rig.recorded({ reasonCode: "policy-changed", name: "a.example" });
    expect(await rig.lookup("a.example")).toBe("REFUSED");
    await expectRefused(await rig.dial("198.18.0.1", peer.port));
    const heard = once(keptPeer, "data");
    kept.write("still here");
    expect(String(await heard)).toBe("still here");
  });
});

describe("one connection", () => {
  test("that says nothing is ended by a deadline", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
    const [socket] = (await once(server, "connection")) as [Socket];
    const place = { name: "a.example" as HostName, port: 443, scheme: "http" as const };
    client.write("\x16\x03");
    expect(await readFirstBytes(socket, place, 50)).toEqual({ kind: "late" });
    client.destroy();
    socket.destroy();
    server.close();
  });

  test("too many is reset, and does not hinder another sandbox", async () => {
    const rig = await yard.rig({ allow: ["a.example"], addresses: LOCAL });
    const other = await yard.rig({ allow: ["a.example"], addresses: LOCAL });
    const address = await rig.lookup("a.example");
    for (let index = 0; index < CONNECTIONS_MAX; index++) await rig.dial(address, 443);
    await expectRefused(await rig.dial(address, 443));
    await rig.recorded({ reasonCode: "too-many-connections" });
    const client = await other.connect("a.example", 443);
    client.write("x\r\n");
    await expectRefused(client);
    await other.recorded({ reasonCode: "protocol-not-allowed" });
  });

  test("that comes when the kernel cannot say where it was going is refused", async () => {
    const rig = await yard.rig({ preset: "open" });
    await expectRefused(await rig.dial("not an address", 443));
    expect(rig.records).toMatchObject([{ reasonCode: "direct-to-gateway" }]);
  });
});

describe("closing a gateway", () => {
  test("ends every connection and both kinds of sockets, once", async () => {
    const peer = await yard.peer();
    const rig = await yard.rig({ allow: [opaque("a.example", peer.port)], addresses: LOCAL });
    const client = await rig.connect("a.example", peer.port);
    const ended = readToEnd(client);
    await peer.accepted();
    await Promise.all([rig.gateway.close(), rig.gateway.close()]);
    expect((await ended).ending).toBe("reset");
    const late = await rig.dial("1.2.3.4", 443);
    expect((await readToEnd(late)).ending).toBe("ECONNREFUSED");
  });
});
