import { describe, expect, test } from "vitest";
import type { Change } from "./change.ts";
import { inspectChanges } from "./inspect.ts";

/** Put together here, so that no scanner takes this file for a leak. */
const TOKEN = ["ghp_", "wWPw5k4aXcaT4fNP0UcnZwJUVFk6LO0pINUx"].join("");
const KEY = `-----BEGIN ${"RSA PRIVATE"} KEY-----\n${"MIIEowIBAAKCAQEA".repeat(8)}\n-----END ${"RSA PRIVATE"} KEY-----\n`;

function file(path: string, text: string): Change {
  return { path, after: { kind: "file", mode: 0o644, text } };
}

async function reasonsOf(change: Change): Promise<readonly string[]> {
  const [entry] = await inspectChanges([change]);
  return entry?.holds.map(({ reason }) => reason) ?? [];
}

describe("a change with a secret in it", () => {
  test("is held, and told by kind and line, without the secret", async () => {
    const reasons = await reasonsOf(file("notes.txt", `one\ntwo ${TOKEN}\n`));
    expect(reasons).toEqual(["seems to hold a secret (github) in line 2"]);
  });

  test("is held though a comment in it says not to look", async () => {
    const text = `// ${"secretlint"}-disable\n${KEY}`;
    expect(await reasonsOf(file("key.ts", text))).toHaveLength(1);
  });

  test("is plain when the same text was there before, and when it only looks alike", async () => {
    const text = `token ${TOKEN}`;
    const change = file("a", text);
    const same: Change = { ...change, before: { kind: "file", mode: 0o600, text } };
    expect(await reasonsOf(same)).toEqual([]);
    expect(await reasonsOf(file("b", "token ghp_short"))).toEqual([]);
  });

  test("is held for its other reasons as well", async () => {
    expect(await reasonsOf(file(".envrc", `export TOKEN=${TOKEN}`))).toHaveLength(2);
  });
});

test("a look for secrets ends when it is called off", async () => {
  const signal = AbortSignal.abort(new DOMException("enough", "AbortError"));
  await expect(inspectChanges([file("a", "b")], { signal })).rejects.toThrow("enough");
});

test("other work of the process is done while many changes are judged", async () => {
  const changes = Array.from({ length: 20_000 }, (_, number): Change => {
    return { path: `d${number % 90}/F${number}`, after: { kind: "file", mode: 0o644 } };
  });
  let turns = 0;
  let isDone = false;
  const turn = (): void => {
    turns += 1;
    if (!isDone) setImmediate(turn);
  };
  setImmediate(turn);
  const entries = await inspectChanges(changes);
  isDone = true;
  expect(entries).toHaveLength(changes.length);
  // In one piece it would be one turn, before it or after it.
  expect(turns).toBeGreaterThan(5);
});

test("looking for secrets leaves nothing behind in a process that lives long", async () => {
  const marks = performance.getEntries().length;
  for (let number = 0; number < 50; number += 1) await reasonsOf(file(`f${number}`, "text"));
  expect(performance.getEntries().length - marks).toBeLessThan(50);
});
