import { expect, test } from "vitest";
import type { HostName } from "../host-name.ts";
import { createNameResolver, type Resolution } from "./name-resolver.ts";

const NEVER = new AbortController().signal;
const FOUND: Resolution = { ok: true, addresses: [] };

/** A resolver whose answers the test gives, and the names it was asked for so far. */
function openControlled() {
  const asked: string[] = [];
  const answers = new Map<string, (resolution: Resolution) => void>();
  const resolveName = createNameResolver((name) => {
    asked.push(name);
    return new Promise((resolve) => answers.set(name, resolve));
  });
  return {
    asked,
    ask: (name: string, owner: object, signal = NEVER) =>
      resolveName(name as HostName, signal, owner),
    answer: (name: string) => answers.get(name)?.(FOUND),
  };
}

const settled = () => new Promise(setImmediate);

test("names that take long do not keep another sandbox from resolving its own", async () => {
  const { asked, ask, answer } = openControlled();
  const [slow, other] = [{}, {}];
  for (let index = 0; index < 10; index++) void ask(`slow${index}.example`, slow);
  void ask("shared.example", slow);
  const found = ask("shared.example", other);
  await settled();
  expect(asked).toEqual(["slow0.example", "slow1.example", "shared.example"]);
  answer("shared.example");
  expect(await found).toBe(FOUND);
});

test("a name that is being resolved is not asked for twice", async () => {
  const { asked, ask, answer } = openControlled();
  const both = [ask("a.example", {}), ask("a.example", {})];
  await settled();
  answer("a.example");
  expect(await Promise.all(both)).toEqual([FOUND, FOUND]);
  expect(asked).toEqual(["a.example"]);
});

test("a connection that is gone waits no longer, and its waiting name is never asked for", async () => {
  const { asked, ask, answer } = openControlled();
  const owner = {};
  const gone = new AbortController();
  void ask("slow0.example", owner);
  void ask("slow1.example", owner);
  const waiting = ask("a.example", owner, gone.signal);
  gone.abort();
  expect(await waiting).toMatchObject({ ok: false });
  answer("slow0.example");
  await settled();
  expect(asked).toEqual(["slow0.example", "slow1.example"]);
});

test("the host's own resolver is asked, and a name it does not know is a problem in words", async () => {
  const resolveName = createNameResolver();
  const known = await resolveName("localhost" as HostName, NEVER, {});
  expect(known).toMatchObject({ ok: true });
  const unknown = await resolveName("nothing.invalid" as HostName, NEVER, {});
  expect(unknown).toMatchObject({
    ok: false,
    problem: expect.stringContaining("does not resolve"),
  });
});
