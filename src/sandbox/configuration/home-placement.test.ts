import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createProcessProvider } from "../../../test/support/process-provider.ts";
import type { RunningSandbox } from "../provider.ts";
import { placeFiles, type Placement } from "./home-placement.ts";

const NEVER = new AbortController().signal;
const CONTENT = Buffer.from("said by the template\n");

let directory: string;
let running: RunningSandbox;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "cg-placement-"));
  const provider = createProcessProvider(join(directory, "provider"));
  const specification = {
    id: "sbx_home",
    name: "home",
    protectedPaths: [],
    homeLayers: [],
    toolchains: [],
    environment: {},
    certificates: [],
    limits: {},
  };
  await provider.create(specification, NEVER);
  running = await provider.start(specification, { onCapture: () => undefined }, NEVER);
});
afterEach(async () => {
  await running.stop();
  rmSync(directory, { recursive: true });
});

const at = (path: string): string => join(directory, "provider/homes/sbx_home", path);
const place = (change: Partial<Placement> = {}): Promise<void> =>
  placeFiles({
    running,
    reads: ["settings"],
    plan: () => ({ writes: [{ path: "settings", content: CONTENT, mode: 0o600 }], removals: [] }),
    signal: NEVER,
    ...change,
  });

describe("putting files into a home", () => {
  test("shows the plan what lies there, and does what it says", async () => {
    writeFileSync(at("settings"), "earlier\n");
    const seen: string[] = [];
    await place({
      plan(home) {
        seen.push(String(home.get("settings")?.content));
        return { writes: [{ path: "settings", content: CONTENT, mode: 0o600 }], removals: [] };
      },
    });
    expect(seen).toEqual(["earlier\n"]);
    expect(readFileSync(at("settings"))).toEqual(CONTENT);
    expect(readdirSync(at("."))).toEqual(["settings"]);
  });

  test("ends when more lies there than can be read, and changes nothing", async () => {
    writeFileSync(at("settings"), "");
    truncateSync(at("settings"), 64 * 1024 * 1024);
    await expect(place()).rejects.toMatchObject({ code: "AGENT_CONFIGURATION_FAILED" });
    expect(readdirSync(at("."))).toEqual(["settings"]);
  });

  test("ends when the plan cannot be made", async () => {
    const failure = new Error("no such setting");
    const plan = (): never => {
      throw failure;
    };
    await expect(place({ plan })).rejects.toBe(failure);
  });

  test("ends when it is not wanted any more", async () => {
    const ending = new AbortController();
    const plan = (): never => {
      ending.abort(new Error("no longer wanted"));
      throw new Error("unused");
    };
    await expect(place({ plan, signal: ending.signal })).rejects.toThrow("no longer wanted");
  });

  test("tells what the home refused", async () => {
    mkdirSync(at("settings"));
    await expect(place()).rejects.toMatchObject({
      code: "AGENT_CONFIGURATION_FAILED",
      message: expect.stringContaining("settings is a directory"),
    });
  });
});
