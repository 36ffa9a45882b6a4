import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { createRig } from "./rig.ts";
import type { Rig, Running } from "./rig.ts";

const hasScript = spawnSync("script", ["--version"]).status === 0;
const WHY = hasScript ? "" : " [skipped: script(1) of util-linux is missing]";
const CHAT = ["chat", "--trust-all-tools"];

/** The loop's prompt, on a line of its own with nothing typed yet. */
const READY = /\n?\u001b\[38;5;141m> \u001b\[0m(?:\u001b\[\d*[A-Z])*$/;

async function openChat(rig: Rig): Promise<Running> {
  await rig.run(["settings", "chat.disableTrustAllConfirmation", "true"]);
  const running = rig.startInTerminal(CHAT);
  await running.until(READY);
  return running;
}

test.skipIf(!hasScript)(
  `a chat names itself a simulator, answers, and ends with /quit${WHY}`,
  async () => {
    await using rig = await createRig();
    await rig.signIn();
    const running = await openChat(rig);
    expect(running.output()).toContain("Kiro CLI simulator");
    running.write("Remember my name is Ada\rWhat is my name?\r");
    await running.until(/Your name is Ada\.[^]*Credits[^]*> \u001b\[0m/);
    running.write("/quit\r");
    expect((await running.finished).exitCode).toBe(0);
  },
);

test.skipIf(!hasScript)(
  `Ctrl-C cancels a turn and keeps the chat; Ctrl-D ends it${WHY}`,
  async () => {
    await using rig = await createRig();
    await rig.signIn();
    const running = await openChat(rig);
    running.write("run: echo begun; sleep 300\r");
    await running.until(/\nbegun/);
    running.write("\u0003");
    await running.until(/\^C\r?\n[^]*> \u001b\[0m(?:\u001b\[\d*[A-Z])*$/);
    running.write("say: still here\r");
    await running.until(/m> \u001b\[0mstill here[^]*Credits[^]*> \u001b\[0m(?:\u001b\[\d*[A-Z])*$/);
    running.write("\u0004");
    expect((await running.finished).exitCode).toBe(0);
  },
);

test.skipIf(!hasScript)(`an untrusted tool asks, and the answer counts${WHY}`, async () => {
  await using rig = await createRig();
  await rig.signIn();
  const running = rig.startInTerminal(["chat"]);
  await running.until(READY);
  running.write("run: echo ran-$((1+1))\r");
  await running.until(/\[y\/n\/t\]:[^]*> \u001b\[0m(?:\u001b\[\d*[A-Z])*$/);
  running.write("y\r");
  await running.until(/ran-2[^]*Credits[^]*> \u001b\[0m(?:\u001b\[\d*[A-Z])*$/);
  running.write("/quit\r");
  expect((await running.finished).exitCode).toBe(0);
});

test.skipIf(!hasScript)(
  `trusting all tools wants a confirmation unless the setting is on${WHY}`,
  async () => {
    await using rig = await createRig();
    await rig.signIn();
    const refused = rig.startInTerminal(CHAT);
    await refused.until(/invented[^]*Yes, I accept/);
    refused.write("\r");
    expect((await refused.finished).exitCode).toBe(1);
    const accepted = rig.startInTerminal(CHAT);
    await accepted.until(/Yes, I accept/);
    accepted.write("\u001b[B\r");
    await accepted.until(READY);
    accepted.write("\u0004");
    expect((await accepted.finished).exitCode).toBe(0);
  },
);
