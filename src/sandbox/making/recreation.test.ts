import { existsSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { SessionYard } from "../../../test/support/session-yard.ts";
import { CattlegridError } from "../../errors/error.ts";

const NEVER = new AbortController().signal;
let yard: SessionYard;

beforeEach(async () => {
  yard = await SessionYard.open();
});
afterEach(() => yard.close());

const names = async (): Promise<string[]> =>
  (await yard.engine.sandboxes.list("local:7")).map(({ name }) => name);

test("the sign-in comes along and nothing else of the home", async () => {
  const id = await yard.sandbox();
  writeFileSync(join(yard.home(id), "junk"), "");
  const before = await names();
  const made = await yard.engine.sandboxes.upkeep.recreate(id, { keepLogin: true }, NEVER);
  const home = yard.home(made.sandbox.id);
  expect([made.keptLogin, readFileSync(join(home, "account"), "utf8")]).toEqual([
    true,
    "someone\n",
  ]);
  expect([existsSync(join(home, "junk")), existsSync(yard.home(id))]).toEqual([false, false]);
  expect(await names()).toEqual(before);
});

test("where nobody is signed in, nothing comes along", async () => {
  const id = await yard.sandbox({ signedIn: false });
  const made = await yard.engine.sandboxes.upkeep.recreate(id, { keepLogin: true }, NEVER);
  expect(made.keptLogin).toBe(false);
});

test("a link in the place of the sign-in is not taken along", async () => {
  const id = await yard.sandbox();
  const account = join(yard.home(id), "account");
  rmSync(account);
  symlinkSync("/etc/passwd", account);
  const made = await yard.engine.sandboxes.upkeep.recreate(id, { keepLogin: true }, NEVER);
  expect([made.keptLogin, existsSync(join(yard.home(made.sandbox.id), "account"))]).toEqual([
    false,
    false,
  ]);
});

test("what fails on the way leaves the old sandbox, its home and its name", async () => {
  const id = await yard.sandbox();
  const before = await names();
  yard.provider.beforeStart = async () => {
    throw new CattlegridError("DISK_FULL", "It is full.");
  };
  const made = yard.engine.sandboxes.upkeep.recreate(id, { keepLogin: true }, NEVER);
  await expect(made).rejects.toMatchObject({ code: "DISK_FULL" });
  expect(await names()).toEqual(before);
  expect(readFileSync(join(yard.home(id), "account"), "utf8")).toBe("someone\n");
  expect((await yard.engine.sandboxes.get(id)).status).toBe("running");
});
