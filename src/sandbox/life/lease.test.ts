import { once, EventEmitter } from "node:events";
import { expect, test } from "vitest";
import { createLeases } from "./lease.ts";

function leasesOf(graceMs: number): {
  leases: ReturnType<typeof createLeases>;
  expired: string[];
  events: EventEmitter;
} {
  const expired: string[] = [];
  const events = new EventEmitter();
  const onExpired = (id: string): void => {
    expired.push(id);
    events.emit("expired");
  };
  return { leases: createLeases({ graceMs, onExpired }), expired, events };
}

test("the last lease to close expires the sandbox, once", () => {
  const { leases, expired } = leasesOf(60_000);
  leases.expect("a");
  const [first, second] = [leases.open("a"), leases.open("a")];
  first.close();
  first.close();
  expect([expired, leases.count()]).toEqual([[], 1]);
  second.close();
  leases.open("a").close();
  expect(expired).toEqual(["a"]);
  leases.close();
});

test("a sandbox that nobody leases expires", async () => {
  const { leases, expired, events } = leasesOf(1);
  leases.expect("a");
  await once(events, "expired");
  expect(expired).toEqual(["a"]);
});

test("a lease on a lasting or forgotten sandbox ends nothing", () => {
  const { leases, expired } = leasesOf(60_000);
  leases.open("lasting").close();
  leases.expect("a");
  const lease = leases.open("a");
  leases.forget("a");
  lease.close();
  expect(expired).toEqual([]);
});
