import { expect, test } from "vitest";
import { createFakeProvider } from "../../testing/fake/provider.ts";
import type { FakeProgram } from "../../testing/fake/program.ts";
import { CopiedWorkspace } from "./copied-workspace.ts";

const NEVER = new AbortController().signal;

/** The copy in a sandbox whose programs are these, as an agent may have put others in the place of its own. */
async function open(
  programs: Record<string, FakeProgram>,
  signal: AbortSignal,
): Promise<CopiedWorkspace> {
  const provider = createFakeProvider({ programs });
  const specification = {
    id: "sbx_copy",
    name: "copy",
    protectedPaths: [],
    homeLayers: [],
    toolchains: [],
    environment: {},
    certificates: [],
    limits: {},
  };
  await provider.create(specification, NEVER);
  const running = await provider.start(specification, { onCapture: () => undefined }, NEVER);
  return new CopiedWorkspace(running, signal);
}

const silent: FakeProgram = ({ signal }) =>
  new Promise((resolve) => signal.addEventListener("abort", () => resolve(1)));

async function count(archive: AsyncIterable<Uint8Array>): Promise<number> {
  let sum = 0;
  for await (const { length } of archive) sum += length;
  return sum;
}

test("what a program in there prints is read to its end", async () => {
  const find: FakeProgram = ({ output }) => {
    output.write("listed");
    return 0;
  };
  const tar: FakeProgram = ({ output }) => {
    output.write(Buffer.alloc(1024));
    return 0;
  };
  const copy = await open({ find, tar }, NEVER);
  expect(String(await copy.list([]))).toBe("listed");
  expect(await copy.get(["a"], count)).toBe(1024);
});

test("a program in there that never ends is waited for no longer than whoever asks waits", async () => {
  const asked = { list: new AbortController(), get: new AbortController() };
  const find: FakeProgram = (run) => {
    asked.list.abort(new Error("no longer wanted"));
    return silent(run);
  };
  const listing = (await open({ find }, asked.list.signal)).list([]);
  await expect(listing).rejects.toThrow("no longer wanted");
  const tar: FakeProgram = (run) => {
    asked.get.abort(new Error("nor this"));
    return silent(run);
  };
  const getting = (await open({ tar }, asked.get.signal)).get(["a"], count);
  await expect(getting).rejects.toThrow("nor this");
});
