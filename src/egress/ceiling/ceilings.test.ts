import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Logger } from "../../platform/logger.ts";
import { probeCeilings } from "./ceiling-probe.ts";
import { CeilingWatch } from "./ceiling-watch.ts";
import { createCeilings, type Ceilings } from "./ceilings.ts";

let directory: string;
let path: string;
let watch: CeilingWatch | undefined;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "cattlegrid-ceilings-"));
  path = join(directory, "policy.yaml");
});
afterEach(() => {
  watch?.close();
  watch = undefined;
  rmSync(directory, { recursive: true });
});

const GOOD = "allow: [a.example]\n";
const NARROW = "allow: []\n";
const BROKEN = "allow: [\n";
const textsOf = (files: readonly { text: string }[]) => files.map(({ text }) => text);

describe("an administrator's policy", () => {
  test("need not be there, but one that somebody named must be", () => {
    const free = createCeilings([{ path, isRequired: false }]);
    expect([free.read(), free.standing()]).toEqual([[], []]);
    const named = createCeilings([{ path, isRequired: true }]);
    expect(named.read).toThrow("does not exist");
    expect(named.standing).toThrow("does not exist");
  });

  test("that broke is an error for what starts, and what it was for what runs", () => {
    writeFileSync(path, GOOD);
    const ceilings = createCeilings([{ path, isRequired: true }]);
    expect(textsOf(ceilings.read())).toEqual([GOOD]);
    for (const breaking of [
      () => writeFileSync(path, BROKEN),
      () => writeFileSync(path, ""),
      () => rmSync(path),
    ]) {
      breaking();
      expect(ceilings.read).toThrow(path);
      expect(textsOf(ceilings.standing())).toEqual([GOOD]);
    }
    expect(probeCeilings(ceilings)).toMatchObject([{ status: "degraded" }]);
    writeFileSync(path, NARROW);
    expect(textsOf(ceilings.standing())).toEqual([NARROW]);
    expect(probeCeilings(ceilings)).toMatchObject([{ status: "ok" }]);
  });

  test("that never could be read stands for nothing", () => {
    writeFileSync(path, BROKEN);
    const ceilings = createCeilings([{ path, isRequired: false }]);
    expect(ceilings.standing).toThrow(expect.objectContaining({ code: "POLICY_INVALID" }));
    expect(probeCeilings(ceilings)).toMatchObject([{ status: "missing" }]);
    rmSync(path);
    expect([ceilings.standing(), probeCeilings(ceilings)]).toEqual([[], []]);
  });

  test("is forgotten when its file goes, so that another one that is broken does not bring it back", () => {
    writeFileSync(path, GOOD);
    const ceilings = createCeilings([{ path, isRequired: false }]);
    ceilings.look();
    rmSync(path);
    expect(ceilings.standing()).toEqual([]);
    writeFileSync(path, BROKEN);
    expect(ceilings.standing).toThrow(path);
  });
});

describe("a change of it", () => {
  let seen: (string | undefined)[];
  let logged: string[];

  function open(ceilings: Ceilings, sweepMs?: number): void {
    [seen, logged] = [[], []];
    const logger = { error: (message: string) => logged.push(message) } as unknown as Logger;
    watch = new CeilingWatch({
      ceilings,
      logger,
      ...(sweepMs === undefined ? {} : { sweepMs }),
      onChange: ([state]) => seen.push(state?.problem?.code ?? state?.file?.text),
    });
  }

  test("is seen when the file is written, replaced, broken, mended and removed", async () => {
    writeFileSync(path, GOOD);
    open(createCeilings([{ path, isRequired: false }]), 1e6);
    const steps: [() => void, string | undefined][] = [
      [() => writeFileSync(path, NARROW), NARROW],
      [() => (writeFileSync(`${path}~`, GOOD), renameSync(`${path}~`, path)), GOOD],
      [() => writeFileSync(path, BROKEN), "POLICY_INVALID"],
      [() => writeFileSync(path, NARROW), NARROW],
      [() => rmSync(path), undefined],
    ];
    for (const [step, expected] of steps) {
      const before = seen.length;
      step();
      await expect.poll(() => seen.length, { timeout: 20_000 }).toBe(before + 1);
      expect(seen.at(-1)).toBe(expected);
    }
    expect(logged).toEqual(["an organisation's policy cannot be read"]);
  });

  test("of something else is none", async () => {
    writeFileSync(path, GOOD);
    open(createCeilings([{ path, isRequired: false }]), 1e6);
    writeFileSync(join(directory, "other.yaml"), NARROW);
    writeFileSync(path, GOOD);
    writeFileSync(path, NARROW);
    await expect.poll(() => seen, { timeout: 20_000 }).toEqual([NARROW]);
  });

  test("by a link, or in a directory that was not there, is found by looking from time to time", async () => {
    const later = join(directory, "later");
    const linked = join(later, "policy.yaml");
    open(createCeilings([{ path: linked, isRequired: false }]), 20);
    mkdirSync(later);
    for (const text of [GOOD, NARROW]) {
      writeFileSync(join(directory, text.length.toString()), text);
      symlinkSync(join("..", text.length.toString()), `${linked}~`);
      renameSync(`${linked}~`, linked);
      await expect.poll(() => seen.at(-1), { timeout: 20_000 }).toBe(text);
    }
  });
});
