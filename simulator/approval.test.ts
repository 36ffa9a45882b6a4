import { afterAll, beforeAll, expect, test } from "vitest";
import { createRig } from "./rig.ts";
import type { Rig, Running } from "./rig.ts";

let rig: Rig;
beforeAll(async () => {
  rig = await createRig();
});
afterAll(() => rig[Symbol.asyncDispose]());

async function startLogin(): Promise<{ running: Running; code: string }> {
  const running = rig.start(["login", "--use-device-flow"]);
  await running.until(/Logging in/);
  return { running, code: rig.cloud.pendingCodes()[0] ?? "" };
}

function post(path: string, code: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(new URL(path, rig.cloud.approvalUrl), {
    method: "POST",
    headers,
    body: new URLSearchParams({ user_code: code }),
  });
}

test("the page says it is simulated, shows the code, and denies or approves it", async () => {
  const empty = await (await fetch(rig.cloud.approvalUrl)).text();
  expect(empty).toContain("simulated");
  expect(empty).toContain("No sign-in is waiting");

  const denied = await startLogin();
  const page = await (await fetch(rig.cloud.approvalUrl)).text();
  expect(page).toContain(denied.code);
  expect((await post("/deny", denied.code)).status).toBe(200);
  expect(await denied.running.finished).toMatchObject({ exitCode: 1 });

  const approved = await startLogin();
  expect((await post("/approve", "AAAA-AAAA")).status).toBe(404);
  expect((await post("/approve", approved.code)).status).toBe(200);
  expect(await approved.running.finished).toMatchObject({ exitCode: 0 });
});

test("another site's page cannot approve, the page itself can", async () => {
  await rig.run(["logout"]);
  const { running, code } = await startLogin();
  const foreign = await post("/approve", code, { origin: "https://example.invalid" });
  expect(foreign.status).toBe(403);
  expect(rig.cloud.pendingCodes()).toEqual([code]);
  const own = await post("/approve", code, { origin: new URL(rig.cloud.approvalUrl).origin });
  expect(own.status).toBe(200);
  expect(await running.finished).toMatchObject({ exitCode: 0 });
});
