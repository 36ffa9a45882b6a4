import { expect, test } from "vitest";
import { createFakeProvider } from "../testing/fake/provider.ts";
import { runCommand } from "./command.ts";

test("a command that is given up while it starts is ended, as one that runs is", async () => {
  const signals: AbortSignal[] = [];
  const given = { up: new AbortController() };
  const provider = createFakeProvider({
    programs: {
      early: ({ signal }) => {
        given.up.abort(new Error("given up"));
        return wait(signal);
      },
      late: ({ signal }) => {
        setImmediate(() => given.up.abort(new Error("given up")));
        return wait(signal);
      },
    },
  });
  function wait(signal: AbortSignal): Promise<number> {
    signals.push(signal);
    return new Promise((resolve) => signal.addEventListener("abort", () => resolve(1)));
  }
  const specification = {
    id: "sbx_command",
    name: "command",
    protectedPaths: [],
    homeLayers: [],
    toolchains: [],
    environment: {},
    certificates: [],
    limits: {},
  };
  const { signal: never } = new AbortController();
  await provider.create(specification, never);
  const running = await provider.start(specification, { onCapture: () => undefined }, never);
  for (const program of ["late", "early"]) {
    given.up = new AbortController();
    const ran = runCommand(running, { request: { argv: [program] }, signal: given.up.signal });
    await expect(ran).rejects.toThrow("given up");
  }
  expect(signals.map(({ aborted }) => aborted)).toEqual([true, true]);
});
