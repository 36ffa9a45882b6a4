import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ProviderSettings } from "./provider-settings.ts";

const KEY = "canary-key";
const summary = "what it is";
const SETTINGS = [
  { key: "apiKey", variable: "REMOTE_KEY", summary, example: "{ secret: it }", isSecret: true },
  { key: "apiUrl", variable: "REMOTE_URL", summary, example: "https://one.example" },
];
const one = "https://one.example";

describe("what a sandbox provider is told of an account", () => {
  let kept: Record<string, string>;
  let directory: string;
  let settings: ProviderSettings;
  const open = (environment: Record<string, string> = {}): ProviderSettings => {
    const opened = new ProviderSettings({
      declared: new Map([["remote", SETTINGS]]),
      environment,
      fileOf: (id) => join(directory, id, "settings.json"),
    });
    opened.bind(async (name) => kept[name]);
    return opened;
  };
  const give = (values: Record<string, string>, isInUse = false): Promise<void> =>
    settings.give("remote", { values }, isInUse);
  beforeEach(() => {
    kept = {};
    directory = mkdtempSync(join(tmpdir(), "cg-settings-"));
    settings = open();
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  test("is the vault's secret of that name, or what a caller says", async () => {
    expect(await settings.read("remote", "REMOTE_KEY")).toBe(undefined);
    kept["REMOTE_KEY"] = KEY;
    expect(await settings.read("remote", "REMOTE_KEY")).toBe(KEY);
    await give({ REMOTE_URL: one, REMOTE_KEY: KEY });
    expect(await settings.read("remote", "REMOTE_URL")).toBe(one);
    expect(await settings.read("other", "REMOTE_URL")).toBe(undefined);
  });

  test("may be a secret of another name, which is there", async () => {
    kept["work"] = KEY;
    const secrets = { REMOTE_KEY: "work" };
    await settings.give("remote", { values: {}, secrets }, false);
    expect(await settings.read("remote", "REMOTE_KEY")).toBe(KEY);
    delete kept["work"];
    await expect(settings.read("remote", "REMOTE_KEY")).rejects.toMatchObject({
      code: "SECRET_NOT_FOUND",
    });
  });

  test("is refused where the vault and the caller say different things, and nothing of a value is shown", async () => {
    kept["REMOTE_KEY"] = "canary-kept";
    const refused = await give({ REMOTE_KEY: KEY }).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: "PROVIDER_SETTING_AMBIGUOUS" });
    expect(JSON.stringify([refused, String(refused)])).not.toContain("canary");
    expect(await settings.read("remote", "REMOTE_KEY")).toBe("canary-kept");
  });

  test("is refused when the vault comes to say something else later", async () => {
    await give({ REMOTE_KEY: KEY });
    kept["REMOTE_KEY"] = "another";
    await expect(settings.read("remote", "REMOTE_KEY")).rejects.toMatchObject({
      code: "PROVIDER_SETTING_AMBIGUOUS",
    });
  });

  test("changes with the caller as long as nothing runs, and not under sandboxes that do", async () => {
    await give({ REMOTE_KEY: KEY });
    await give({ REMOTE_KEY: "second" });
    await give({ REMOTE_KEY: "second" }, true);
    await give({}, true);
    const refusal = { code: "PROVIDER_SETTING_AMBIGUOUS" };
    await expect(give({ REMOTE_KEY: KEY }, true)).rejects.toMatchObject(refusal);
    await expect(give({ REMOTE_URL: one }, true)).rejects.toMatchObject(refusal);
    expect(await settings.read("remote", "REMOTE_KEY")).toBe("second");
    expect(await settings.read("remote", "REMOTE_URL")).toBe(undefined);
  });

  test("is said as a whole: who leaves an address out means the default one", async () => {
    await give({ REMOTE_URL: one });
    await expect(give({}, true)).rejects.toThrow("Nobody here says REMOTE_URL");
    await give({});
    expect(await settings.read("remote", "REMOTE_URL")).toBe(undefined);
  });

  test("is a key that stays with its address, and goes to no other", async () => {
    await give({ REMOTE_KEY: KEY, REMOTE_URL: one });
    await give({ REMOTE_URL: one });
    expect(await settings.read("remote", "REMOTE_KEY")).toBe(KEY);
    await give({ REMOTE_URL: "https://two.example" });
    expect(await settings.read("remote", "REMOTE_KEY")).toBe(undefined);
  });

  test("is shown with where each was said, and without a secret's value", async () => {
    kept["REMOTE_KEY"] = KEY;
    const origins = { REMOTE_URL: "/home/ada/config.yaml:3" };
    await settings.give("remote", { values: { REMOTE_URL: one }, origins }, false);
    expect(await settings.show("remote")).toEqual([
      { key: "apiKey", origin: "the vault's REMOTE_KEY" },
      { key: "apiUrl", value: one, origin: "/home/ada/config.yaml:3" },
    ]);
  });

  test("is what the engine's own environment says where no caller does", async () => {
    settings = open({ REMOTE_URL: one, PATH: "/bin" });
    expect(await settings.read("remote", "REMOTE_URL")).toBe(one);
    await give({ REMOTE_KEY: KEY });
    expect(await settings.read("remote", "REMOTE_URL")).toBe(one);
    await give({ REMOTE_URL: "https://two.example" });
    expect(await settings.read("remote", "REMOTE_URL")).toBe("https://two.example");
  });

  test("is kept for the engine that cleans up after this one, but for secrets", async () => {
    await give({ REMOTE_KEY: KEY, REMOTE_URL: one });
    const file = join(directory, "remote/settings.json");
    expect(existsSync(file)).toBe(false);
    await settings.remember("remote");
    expect(readFileSync(file, "utf8")).not.toContain("canary");
    const next = open();
    expect(await next.read("remote", "REMOTE_URL")).toBe(one);
    expect(await next.read("remote", "REMOTE_KEY")).toBe(undefined);
    await next.give("remote", { values: {} }, false);
    expect(await next.read("remote", "REMOTE_URL")).toBe(undefined);
  });

  test("has no name that the provider did not declare", async () => {
    await expect(give({ PATH: "/bin" })).rejects.toMatchObject({ code: "REQUEST_INVALID" });
  });
});
