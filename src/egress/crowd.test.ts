import { expect, test } from "vitest";
import { LOCAL, opaque, openYard, readToEnd } from "../../test/support/gateway-rig.ts";

const yard = openYard();
const HELD = 120;
const ROUNDS = 40;

test("while many connections are open and more come, a change of a rule decides none wrongly", async () => {
  const peer = await yard.peer((socket) => socket.write("welcome"));
  const [a, b] = [opaque("a.example", peer.port), opaque("b.example", peer.port)];
  const rig = await yard.rig({ allow: [a, b], addresses: LOCAL });
  const addresses = { a: await rig.lookup("a.example"), b: await rig.lookup("b.example") };
  /** Opens a connection; resolves when it is answered or refused. */
  const open = async (address: string): Promise<{ isOpen: boolean; ended: Promise<unknown> }> => {
    const client = await rig.dial(address, peer.port);
    const ended = readToEnd(client).then(({ ending }) => ending);
    const answered = new Promise<boolean>((resolve) => client.once("data", () => resolve(true)));
    return { isOpen: await Promise.race([answered, ended.then(() => false)]), ended };
  };
  const denied = await Promise.all(Array.from({ length: HELD }, () => open(addresses.a)));
  const kept = await open(addresses.b);
  expect(denied.every(({ isOpen }) => isOpen)).toBe(true);
  for (let round = 0; round < ROUNDS; round += 1) {
    if (round === ROUNDS / 2) rig.setPolicy({ allow: [b] });
    const [first, second] = await Promise.all([open(addresses.a), open(addresses.b)]);
    expect([first.isOpen, second.isOpen]).toEqual([round < ROUNDS / 2, true]);
  }
  const endings = await Promise.all(denied.map(({ ended }) => ended));
  expect(new Set(endings)).toEqual(new Set(["reset"]));
  const stillOpen = Promise.resolve("open");
  expect(await Promise.race([kept.ended, stillOpen])).toBe("open");
});
