import { describe, expect, test } from "vitest";
import type { EngineEvent } from "../protocol/engine-event.ts";
import { createEngineEvents, type EngineEvents, type Happening } from "./engine-events.ts";

const happening = (name: string): Happening => ({
  type: "sandbox",
  owner: "local:7",
  sandboxId: "s",
  name,
  agent: "shell",
  status: "created",
});

/** The next `count` events from behind `after`. */
async function take(events: EngineEvents, count: number, after?: string): Promise<EngineEvent[]> {
  const { signal } = new AbortController();
  const taken: EngineEvent[] = [];
  for await (const event of events.read({ signal, ...(after === undefined ? {} : { after }) })) {
    if (taken.push(event) === count) break;
  }
  return taken;
}

const names = (events: readonly EngineEvent[]): string[] =>
  events.map((event) => (event.type === "sandbox" ? event.name : event.type));

describe("engine events", () => {
  test("begin for a reader when it comes", async () => {
    const events = createEngineEvents();
    events.append(happening("before"));
    const reading = take(events, 2);
    events.append(happening("one"));
    events.append(happening("two"));
    expect(names(await reading)).toEqual(["one", "two"]);
  });

  test("go on behind the last one a reader saw, without a hole and without a double", async () => {
    const events = createEngineEvents();
    const reading = take(events, 2);
    for (const name of ["one", "two", "three", "four"]) events.append(happening(name));
    const last = (await reading).at(-1)!.id;
    expect(names(await take(events, 2, last))).toEqual(["three", "four"]);
  });

  test("tell a gap where some are no longer kept, and whatever another engine's id was", async () => {
    const events = createEngineEvents({ keptMax: 2 });
    const reading = take(events, 1);
    events.append(happening("one"));
    const [one] = await reading;
    for (const name of ["two", "three", "four"]) events.append(happening(name));
    expect(names(await take(events, 3, one!.id))).toEqual(["gap", "three", "four"]);
    for (const foreign of ["0badcafe-0", "nonsense", `${one!.id}99999`]) {
      expect(names(await take(events, 3, foreign))).toEqual(["gap", "three", "four"]);
    }
  });

  test("can be resumed from behind a gap", async () => {
    const events = createEngineEvents({ keptMax: 2 });
    for (const name of ["one", "two", "three"]) events.append(happening(name));
    const [gap] = await take(events, 1, "0badcafe-0");
    expect(names(await take(events, 2, gap!.id))).toEqual(["two", "three"]);
  });

  test("end without an error when nobody listens any more", async () => {
    const reader = new AbortController();
    const reading = Array.fromAsync(createEngineEvents().read({ signal: reader.signal }));
    reader.abort();
    expect(await reading).toEqual([]);
  });
});
