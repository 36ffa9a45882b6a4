import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { KIRO_NEEDS } from "../support/kiro-needs.ts";
import { KiroYard } from "../support/kiro-yard.ts";

describe.skipIf(!KIRO_NEEDS.met)(KIRO_NEEDS.title("installing the stand-in Kiro"), () => {
  let yard: KiroYard;
  afterEach(() => yard?.close());

  test("goes through the gateway to Kiro's own addresses, once", async () => {
    yard = await KiroYard.open();
    const first = await yard.sandbox();
    const texts = first.events.map((event) => (event.type === "install-delta" ? event.text : ""));
    expect(texts.join("")).toContain("Downloading package...");
    const received = first.events.findLast((event) => event.type === "install-progress");
    expect(received?.receivedBytes).toBeGreaterThan(50_000_000);
    const requests = yard.cloud.requests.join("\n");
    expect(requests).toContain("cli.kiro.dev GET /install");
    expect(requests).toContain("prod.download.cli.kiro.dev GET /stable/latest/manifest.json");
    const [layer] = await yard.provider.layers.list();
    expect(layer).toMatch(/^kiro-2\.21\.2-[0-9a-f]{8}-(glibc|musl).*-mirrored$/);

    const before = yard.cloud.requests.length;
    const second = await yard.sandbox();
    expect(second.events.filter(({ type }) => type.startsWith("install"))).toEqual([]);
    expect(yard.cloud.requests.length).toBe(before);
    expect(await yard.inside(second.id, "kiro-cli --version")).toBe("kiro-cli 2.21.2\n");
    expect(await yard.inside(second.id, "ls -d ~/.install || echo gone")).toMatch(/gone\n$/);
  });

  test("is believed when the program runs, whatever the installer's exit status", async () => {
    yard = await KiroYard.open({ installerFault: "exit-status" });
    const { id } = await yard.sandbox();
    expect(await yard.inside(id, "kiro-cli --version")).toBe("kiro-cli 2.21.2\n");
  });

  test.each(["checksum", "unavailable"] as const)(
    "that fails (%s) shows what the installer wrote, and leaves nothing",
    async (installerFault) => {
      yard = await KiroYard.open({ installerFault });
      const failure = await yard.sandbox().catch((error: unknown) => error);
      expect(failure).toMatchObject({ code: "AGENT_INSTALL_FAILED" });
      expect(failure).toHaveProperty("details.output", expect.stringContaining("failed"));
      expect(await yard.provider.layers.list()).toEqual([]);
      expect(readdirSync(join(yard.root, "state/providers/local/sandboxes"))).toEqual([]);
    },
  );

  test("pinned by a template takes the file with that checksum, of that version, and no other", async () => {
    yard = await KiroYard.open();
    const manifest = JSON.parse(await yard.cloud.manifest()) as { packages: { sha256: string }[] };
    const checksum = `sha256:${manifest.packages[0]!.sha256}`;
    const spoiled = checksum.replace(/.$/, (digit) => (digit === "0" ? "1" : "0"));
    const pin = (agent: { checksum?: string; version?: string }): Promise<unknown> =>
      yard.fromTemplate({ agents: { kiro: agent } }).catch((error: unknown) => error);
    expect(await pin({ checksum: spoiled })).toMatchObject({ code: "AGENT_CHECKSUM_MISMATCH" });
    expect(await pin({ version: "9.9.9" })).toMatchObject({ code: "AGENT_INSTALL_FAILED" });
    expect(await yard.provider.layers.list()).toEqual([]);
    const id = await pin({ checksum, version: "2.21.2" });
    expect(await yard.inside(String(id), "kiro-cli --version")).toBe("kiro-cli 2.21.2\n");
    const requests = yard.cloud.requests.join("\n");
    expect(requests).toContain("prod.download.cli.kiro.dev GET /stable/2.21.2/kirocli-");
  });

  test("that cannot reach its host says so", async () => {
    yard = await KiroYard.open();
    const { sandbox } = await yard.engine.sandboxes.create("local:test", {
      agent: "kiro",
      workspace: null,
      mirrors: { ...yard.mirrors(), targets: "cli.kiro.dev:443=127.0.0.1:1" },
    });
    const failure = await yard.start(sandbox.id).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "AGENT_INSTALL_FAILED" });
    expect(failure).toHaveProperty("details.output", expect.stringMatching(/curl: \(\d+\)/));
  });

  test("leaves a sandbox that may not reach telemetry, and hears so at once", async () => {
    yard = await KiroYard.open();
    const { id } = await yard.sandbox();
    const ask = (host: string): Promise<string> =>
      yard.inside(id, `curl -s -m 10 -o /dev/null -w '%{http_code}' https://${host}/; echo " $?"`);
    expect(await ask("telemetry.us-east-1.kiro.dev")).toMatch(/^000 (6|7|35)\n$/);
    expect(await ask("management.us-east-1.kiro.dev")).toMatch(/^[1-5]\d\d 0\n$/);
    const reading = { follow: false, signal: new AbortController().signal };
    const records = await Array.fromAsync(yard.engine.sandboxes.egress(id, reading));
    const refused = records
      .map((record) => JSON.stringify(record))
      .filter((text) => text.includes("telemetry"));
    expect(refused.length).toBeGreaterThan(0);
    expect(refused.every((text) => text.includes('"deny"'))).toBe(true);
  });
});
