import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startKiroCloud, type KiroCloud } from "../../simulator/cloud/cloud.ts";
import type { FakeDaytona } from "../../simulator/daytona/daytona.ts";
import { openFakeDaytona } from "../support/fake-daytona.ts";
import { KIRO_NEEDS } from "../support/kiro-needs.ts";
import { allOf } from "../support/requirement.ts";
import { GuideSession } from "./guide-session.ts";
import { failure, loadSdk, type SdkClient } from "./sdk.ts";
import { SDK_NEEDS } from "./sdk-yard.ts";

const NEEDS = allOf(SDK_NEEDS, KIRO_NEEDS);

describe.skipIf(!NEEDS.met)(
  NEEDS.title("Daytona's own guide, with its own SDK, against the fake"),
  () => {
    const directory = mkdtempSync(join(tmpdir(), "cg-guide-"));
    let cloud: KiroCloud;
    let fake: FakeDaytona;
    let daytona: SdkClient;
    let guide: GuideSession;

    beforeAll(async () => {
      const { Daytona } = await loadSdk();
      cloud = await startKiroCloud({ directory, pollIntervalSeconds: 0.05 });
      const certificates = readFileSync(cloud.authorityPath, "utf8");
      fake = await openFakeDaytona({ mirrors: { targets: cloud.mirrors, certificates } });
      daytona = new Daytona({ apiKey: fake.key, apiUrl: fake.url });
    });
    afterAll(async () => {
      await daytona[Symbol.asyncDispose]();
      await fake[Symbol.asyncDispose]();
      await cloud[Symbol.asyncDispose]();
      rmSync(directory, { recursive: true, force: true });
    });

    test("a sandbox without any wish is made, and says what the service says by default", async () => {
      guide = await GuideSession.create(daytona);
      expect(guide.sandbox).toMatchObject({
        state: "started",
        labels: { "code-toolbox-language": "python" },
        autoStopInterval: 15,
        autoDeleteInterval: -1,
      });
    });

    test("the installer of Kiro runs from its real address, and Kiro answers", async () => {
      expect(await guide.install()).toMatch(/^kiro-cli(-chat)? \d+\.\d+\.\d+$/);
    });

    test("a person picks a provider by key, approves the code, and is signed in", async () => {
      cloud.events.on("pending", ({ userCode }) => cloud.approve(userCode));
      const seen: string[] = [];
      const told = await guide.login("\r", (text) => seen.push(text));
      expect(seen.at(-1)).toContain("Code:");
      expect(told).toMatch(/Logged in/i);
    });

    test("two turns are one conversation, and what they print is Kiro's alone", async () => {
      const first = await guide.turn("My name is Ada. Don't forget it; it's 'Ada'.");
      expect(first.exitCode).toBe(0);
      expect(first.output).not.toContain("__GUIDE_READY__");
      const second = await guide.turn("What is my name?");
      expect(second.exitCode).toBe(0);
      expect(second.output).toContain("Ada");
    });

    test("tools run for real in the sandbox", async () => {
      const { exitCode } = await guide.turn("write made.txt: by the agent");
      expect(exitCode).toBe(0);
      expect((await guide.sandbox.fs.downloadFile("made.txt")).toString()).toContain(
        "by the agent",
      );
    });

    test("deleting is accepted at once, and the sandbox is then nowhere", async () => {
      const { id } = guide.sandbox;
      await guide.sandbox.delete(60, true);
      expect(guide.sandbox.state).toBe("destroyed");
      expect(await failure(daytona.get(id))).toMatchObject({
        name: "DaytonaNotFoundError",
        statusCode: 404,
      });
      expect(await Array.fromAsync(daytona.list())).toEqual([]);
    });
  },
);
