// How somebody tests a program of their own that is built on Cattlegrid: with a whole engine, no sandbox and no agent.
// The package's fake provider runs functions, so that nothing is installed, nobody signs in, and it takes milliseconds.
import type { Cattlegrid } from "cattlegrid";
import { createFakeEngine } from "cattlegrid/testing";
import { expect, test } from "vitest";

/** The program that is tested: asks an agent for a name for a release, and for another one when it has a space. */
async function nameRelease(grid: Cattlegrid, agent: string): Promise<string> {
  const { id } = await grid.createSandbox({ body: { agent, workspace: null, ephemeral: false } });
  await grid.startSandbox({ id, body: {} });
  const session = await grid.createSession({ id, body: { kind: "turns" } });
  let prompt = "Name this release.";
  for (;;) {
    const turn = grid.runTurn({ id: session.id, body: { prompt } });
    for await (const event of turn) {
      if (event.type !== "turn-end") continue;
      if (event.outcome !== "succeeded") throw new Error(event.reason ?? "no name");
      if (!event.answer.includes(" ")) return event.answer;
      prompt = `${event.answer} has a space. Another one.`;
    }
  }
}

test("asks again until the name has no space", async () => {
  const asked: string[] = [];
  await using grid = await createFakeEngine({
    script(prompt) {
      asked.push(prompt);
      return asked.length === 1 ? "Wide Gate" : "Gate";
    },
  });
  expect(await nameRelease(grid, "scripted")).toBe("Gate");
  expect(asked).toEqual(["Name this release.", "Wide Gate has a space. Another one."]);
});
