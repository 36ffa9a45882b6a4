import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createProcessProvider } from "../../../test/support/process-provider.ts";
import type { RunningSandbox } from "../../sandbox/provider.ts";
import { followTurn } from "./turn-process.ts";

const NEVER = new AbortController().signal;

let directory: string;
let sandbox: RunningSandbox;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "cg-turn-"));
  const provider = createProcessProvider(directory);
  const specification = {
    id: "sbx_turn",
    name: "turn",
    protectedPaths: [],
    homeLayers: [],
    toolchains: [],
    environment: {},
    certificates: [],
    limits: {},
  };
  await provider.create(specification, NEVER);
  sandbox = await provider.start(specification, { onCapture: () => undefined }, NEVER);
});

afterEach(async () => {
  await sandbox.stop();
  rmSync(directory, { recursive: true });
});

test("a turn whose reader leaves in the middle of a flood is read to its end all the same", async () => {
  const process = await sandbox.exec({ argv: ["yes"] }, NEVER);
  const turn = followTurn(process, 3_600_000);
  const held = new Promise((resolve) => process.output.once("pause", resolve));
  for await (const _ of turn.output) break;
  await held;
  const read = once(process.output, "end");
  await turn.close();
  await read;
  expect(await turn.ended).toEqual({ kind: "signalled", code: 137, signal: "SIGKILL" });
});
