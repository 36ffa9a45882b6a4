import { expect, test } from "vitest";
import { baseLayer, LayerUse } from "./layer-use.ts";

const BASE = baseLayer("tar-1");

/** Something that is removed by `remove`, and waits for `looked` before that. */
function thing(): {
  looked: PromiseWithResolvers<void>;
  isThere: boolean;
  removal: { isUsed(): Promise<boolean>; remove(): Promise<void> };
} {
  const looked = Promise.withResolvers<void>();
  const self = {
    looked,
    isThere: true,
    removal: {
      isUsed: async () => (await looked.promise, false),
      remove: async () => void (self.isThere = false),
    },
  };
  return self;
}

test("nothing is removed that is pinned, until its pin goes", async () => {
  const use = new LayerUse();
  const { removal, looked } = thing();
  looked.resolve();
  const pin = use.pin("local", ["a"]);
  expect(await use.remove("local", "a", removal)).toBe(false);
  expect(await use.remove("other", "a", removal)).toBe(true);
  pin[Symbol.dispose]();
  pin[Symbol.dispose]();
  expect(await use.remove("local", "a", removal)).toBe(true);
});

test("no root file system is removed while somebody chooses one, and the chosen one stays pinned", async () => {
  const use = new LayerUse();
  const { removal, looked } = thing();
  looked.resolve();
  const choice = Promise.withResolvers<string>();
  const choosing = use.choose(
    "local",
    () => choice.promise,
    (made) => [made],
  );
  await Promise.resolve();
  expect(await use.remove("local", BASE, removal)).toBe(false);
  expect(await use.remove("other", BASE, removal)).toBe(true);
  choice.resolve(BASE);
  const { pin } = await choosing;
  expect(await use.remove("local", BASE, removal)).toBe(false);
  pin[Symbol.dispose]();
  expect(await use.remove("local", BASE, removal)).toBe(true);
});

test("who chooses while one is being removed waits, and does not find it", async () => {
  const use = new LayerUse();
  const kept = thing();
  const removing = use.remove("local", BASE, kept.removal);
  const choosing = use.choose(
    "local",
    async () => kept.isThere,
    () => [],
  );
  kept.looked.resolve();
  expect(await removing).toBe(true);
  expect((await choosing).chosen).toBe(false);
});

test("a choice that fails is in nobody's way", async () => {
  const use = new LayerUse();
  const { removal, looked } = thing();
  looked.resolve();
  const failing = use.choose(
    "local",
    () => Promise.reject(new TypeError("no")),
    () => [],
  );
  await expect(failing).rejects.toThrow("no");
  expect(await use.remove("local", BASE, removal)).toBe(true);
});
