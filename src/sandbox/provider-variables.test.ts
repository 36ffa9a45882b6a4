import { beforeEach, describe, expect, test } from "vitest";
import { ProviderVariables } from "./provider-variables.ts";

const KEY = "canary-key";

describe("what a sandbox provider is told of an account", () => {
  let kept: Record<string, string>;
  let variables: ProviderVariables;
  beforeEach(() => {
    kept = {};
    variables = new ProviderVariables(new Map([["remote", ["REMOTE_KEY", "REMOTE_URL"]]]));
    variables.bind(async (name) => kept[name]);
  });

  test("is the vault's secret of that name, or what a caller's shell has", async () => {
    expect(await variables.read("remote", "REMOTE_KEY")).toBe(undefined);
    kept["REMOTE_KEY"] = KEY;
    expect(await variables.read("remote", "REMOTE_KEY")).toBe(KEY);
    await variables.give("remote", { REMOTE_URL: "https://one.example", REMOTE_KEY: KEY }, false);
    expect(await variables.read("remote", "REMOTE_URL")).toBe("https://one.example");
    expect(await variables.read("other", "REMOTE_URL")).toBe(undefined);
  });

  test("is refused where the vault and the shell say different things, and nothing of a value is shown", async () => {
    kept["REMOTE_KEY"] = "canary-kept";
    const refused = await variables
      .give("remote", { REMOTE_KEY: KEY }, false)
      .catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: "PROVIDER_CREDENTIAL_AMBIGUOUS" });
    expect(JSON.stringify([refused, String(refused)])).not.toContain("canary");
    expect(await variables.read("remote", "REMOTE_KEY")).toBe("canary-kept");
  });

  test("is refused when the vault comes to say something else later", async () => {
    await variables.give("remote", { REMOTE_KEY: KEY }, false);
    kept["REMOTE_KEY"] = "another";
    await expect(variables.read("remote", "REMOTE_KEY")).rejects.toMatchObject({
      code: "PROVIDER_CREDENTIAL_AMBIGUOUS",
    });
  });

  test("changes with the shell as long as nothing runs, and not under sandboxes that do", async () => {
    await variables.give("remote", { REMOTE_KEY: KEY }, false);
    await variables.give("remote", { REMOTE_KEY: "second" }, false);
    await variables.give("remote", { REMOTE_KEY: "second" }, true);
    const refused = variables.give("remote", { REMOTE_KEY: KEY }, true);
    await expect(refused).rejects.toMatchObject({ code: "PROVIDER_CREDENTIAL_AMBIGUOUS" });
    expect(await variables.read("remote", "REMOTE_KEY")).toBe("second");
  });

  test("has no name that the provider did not declare", async () => {
    await expect(variables.give("remote", { PATH: "/bin" }, false)).rejects.toMatchObject({
      code: "REQUEST_INVALID",
    });
  });
});
