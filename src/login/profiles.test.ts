import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { CattlegridError } from "../errors/error.ts";
import { createKeyFile } from "../vault/key-file.ts";
import { createVault, type Vault } from "../vault/vault.ts";
import { entryNameOf } from "./profile-name.ts";
import { createLoginProfiles, type LoginProfiles, type Renewal } from "./profiles.ts";
import { encodeStored } from "./stored-sign-in.ts";

const PLACE = { owner: "local:7", agent: "tool", profile: "default" };
const HOUR_MS = 3_600_000;
const never = new AbortController().signal;

let folder: string;
let vault: Vault;
let profiles: LoginProfiles;
let now: Date;

function open(): LoginProfiles {
  const places = [createKeyFile(join(folder, "key"))];
  vault = createVault({ directory: folder, places });
  return createLoginProfiles({ vault, now: () => now });
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "cg-profiles-"));
  now = new Date("2026-11-28T12:00:00Z");
  profiles = open();
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function parts(token: string) {
  const whole = { file: Buffer.from(token).toString("base64") };
  const expiresAt = new Date(now.getTime() + HOUR_MS).toISOString();
  return { whole, lent: whole, expiresAt };
}

async function keep(token = "first"): Promise<number> {
  return (await profiles.keep(PLACE, { parts: parts(token), account: "someone" }, never)).revision;
}

const dontRenew = async (): Promise<Renewal> => {
  throw new Error("renewed for nothing");
};

function pass(ms: number): void {
  now = new Date(now.getTime() + ms);
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  const error = await work.catch((thrown: unknown) => thrown);
  return CattlegridError.is(error) ? error.code : "no problem";
}

describe("a login profile", () => {
  test("is what was kept, for its owner and agent alone", async () => {
    await keep();
    expect(await profiles.places("local:7")).toEqual([PLACE]);
    expect(await profiles.places("local:8")).toEqual([]);
    expect(await profiles.get(PLACE, never)).toMatchObject({ account: "someone", ...PLACE });
    expect(await profiles.get({ ...PLACE, owner: "local:8" }, never)).toBeUndefined();
    expect(await profiles.remove(PLACE, never)).toBe(true);
    expect(await profiles.remove(PLACE, never)).toBe(false);
    expect(await profiles.get(PLACE, never)).toBeUndefined();
  });

  test("has a greater revision after each change, also over a removal", async () => {
    const first = await keep();
    const second = await keep();
    await profiles.remove(PLACE, never);
    pass(1);
    expect(second).toBeGreaterThan(first);
    expect(await keep()).toBeGreaterThan(first);
  });

  test.each(["", "..", "a/b", ".hidden", "x".repeat(33), "a b"])(
    "cannot be called %j",
    async (profile) => {
      expect(await codeOf(profiles.get({ ...PLACE, profile }, never))).toBe("REQUEST_INVALID");
    },
  );
});

describe("what is in the vault under a profile's name is refused", () => {
  test("when a later program kept it", async () => {
    const bytes = Buffer.from(JSON.stringify({ form: 2, owner: "local:7", sealed: "…" }));
    await vault.write(entryNameOf(PLACE), bytes, never);
    expect(await codeOf(profiles.get(PLACE, never))).toBe("SIGN_IN_TOO_NEW");
    const renewed = profiles.fresh(PLACE, { renew: dontRenew }, never);
    expect(await codeOf(renewed)).toBe("SIGN_IN_TOO_NEW");
    expect(await vault.read(entryNameOf(PLACE), never)).toEqual(new Uint8Array(bytes));
  });

  test("when it is another agent's or another user's", async () => {
    const foreign = { account: null, revision: 1, savedAt: now.toISOString(), ...parts("x") };
    for (const other of [{ agent: "other" }, { owner: "local:0" }]) {
      const bytes = encodeStored({ ...PLACE, ...foreign, ...other });
      await vault.write(entryNameOf(PLACE), bytes, never);
      expect(await codeOf(profiles.get(PLACE, never))).toBe("SIGN_IN_FOREIGN");
    }
  });

  test("when it is no sign-in, and can be removed all the same", async () => {
    await vault.write(entryNameOf(PLACE), Buffer.from("{"), never);
    expect(await codeOf(profiles.get(PLACE, never))).toBe("SIGN_IN_INVALID");
    expect(await profiles.remove(PLACE, never)).toBe(true);
  });
});

describe("a sign-in near its end", () => {
  test("is renewed once for all who ask at once, also from another process", async () => {
    await keep();
    pass(HOUR_MS);
    let renewals = 0;
    const renew = async (): Promise<Renewal> => {
      renewals += 1;
      await new Promise((resolve) => setTimeout(resolve, 20));
      return parts("second");
    };
    const others = open();
    const asked = Array.from({ length: 20 }, (_, index) =>
      (index % 2 === 0 ? profiles : others).fresh(PLACE, { renew }, never),
    );
    const found = new Set((await Promise.all(asked)).map((stored) => stored?.revision));
    expect(renewals).toBe(1);
    expect(found.size).toBe(1);
    expect((await profiles.get(PLACE, never))?.whole).toEqual(parts("second").whole);
  });

  test("is left alone while there is time", async () => {
    await keep();
    pass(HOUR_MS - 6 * 60_000);
    expect(await profiles.fresh(PLACE, { renew: dontRenew }, never)).toBeDefined();
  });

  test("that its service has refused is renewed before its time, once for all who had it", async () => {
    const doubted = await keep();
    let renewals = 0;
    const renew = async (): Promise<Renewal> => {
      renewals += 1;
      return parts("second");
    };
    for (let each = 0; each < 3; each++) await profiles.fresh(PLACE, { renew, doubted }, never);
    expect(renewals).toBe(1);
  });

  test("that its service refuses stays known as refused, and is not asked for again", async () => {
    await keep();
    pass(HOUR_MS);
    const refused = await profiles.fresh(PLACE, { renew: async () => "refused" }, never);
    expect(refused?.refusedAt).toBe(now.toISOString());
    expect(await profiles.fresh(PLACE, { renew: dontRenew }, never)).toEqual(refused);
    await keep("anew");
    expect((await profiles.get(PLACE, never))?.refusedAt).toBeUndefined();
  });

  test("is used on while it lasts when its service cannot be reached, and then is not", async () => {
    await keep();
    const failing = async (): Promise<Renewal> => {
      throw new CattlegridError("SIGN_IN_RENEWAL_FAILED", "no answer");
    };
    pass(HOUR_MS - 60_000);
    expect(await profiles.fresh(PLACE, { renew: failing }, never)).toMatchObject({
      whole: parts("first").whole,
    });
    pass(61_000);
    expect(await codeOf(profiles.fresh(PLACE, { renew: failing }, never))).toBe(
      "SIGN_IN_RENEWAL_FAILED",
    );
  });

  test("that was removed meanwhile is not brought back", async () => {
    await keep();
    pass(HOUR_MS);
    await profiles.remove(PLACE, never);
    expect(await profiles.fresh(PLACE, { renew: dontRenew }, never)).toBeUndefined();
  });
});

describe("what an agent renewed by itself", () => {
  test("is taken over from whoever is first, and not from a second one with the old copy", async () => {
    const revision = await keep();
    const [one, two] = await Promise.all(
      ["one", "two"].map((token) =>
        profiles.takeBack(PLACE, { revision, parts: parts(token) }, never),
      ),
    );
    expect([one, two].filter((taken) => taken !== undefined)).toHaveLength(1);
    const winner = one ?? two;
    expect(await profiles.get(PLACE, never)).toEqual(winner);
  });
});
