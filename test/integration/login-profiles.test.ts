import { zstdCompressSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CattlegridError } from "../../src/errors/error.ts";
import type { LoginProfile } from "../../src/protocol/login.ts";
import { KIRO_NEEDS } from "../support/kiro-needs.ts";
import { KiroYard } from "../support/kiro-yard.ts";

const OWNER = "local:test";
const HOUR_MS = 3_600_000;
const never = new AbortController().signal;
const terminal = { columns: 100, rows: 30 };
const DATABASE = "~/.local/share/kiro-cli/data.sqlite3";

describe.skipIf(!KIRO_NEEDS.met)(KIRO_NEEDS.title("a login profile of the stand-in Kiro"), () => {
  let yard: KiroYard;
  beforeAll(async () => {
    yard = await KiroYard.open({ approval: "auto" });
  });
  afterAll(() => yard?.close());

  const place = (profile: string) => ({ owner: OWNER, agent: "kiro", profile });

  async function profileOf(name: string): Promise<LoginProfile | undefined> {
    const profiles = await yard.engine.logins.list(OWNER, never);
    return profiles.find(({ profile }) => profile === name);
  }

  /** As `cattlegrid login` does it: in a sandbox that goes with it. */
  async function login(profile: string): Promise<void> {
    const { sandbox } = await yard.engine.sandboxes.create(OWNER, {
      agent: "kiro",
      workspace: null,
      ephemeral: true,
      mirrors: yard.mirrors(),
    });
    await yard.start(sandbox.id);
    const session = await yard.session(sandbox.id, { login: { profile } });
    expect(await yard.ending(session)).toMatchObject({ exitCode: 0 });
    await yard.engine.sandboxes.remove(sandbox.id);
  }

  async function whoami(sandboxId: string): Promise<string> {
    const session = await yard.session(sandboxId, { kind: "turns" });
    const { account } = await yard.until(session, "signed-in");
    return account;
  }

  function token(sandboxId: string): Promise<string> {
    const query = "SELECT value FROM auth_kv WHERE key = 'kirocli:odic:token'";
    const python = `import sqlite3,os;print(*[r[0] for r in sqlite3.connect(os.path.expanduser('${DATABASE}')).execute(\\"${query}\\")])`;
    return yard.inside(sandboxId, `/usr/bin/python3 -c "${python}"`);
  }

  async function codeOf(work: Promise<unknown>): Promise<string> {
    const error = await work.catch((thrown: unknown) => thrown);
    return CattlegridError.is(error) ? error.code : "no problem";
  }

  test("serves twenty sandboxes over an expiry with one renewal, and nobody is logged out", async () => {
    // What a login gives lasts no longer than Kiro's own slack: to every Kiro it has ended.
    yard.cloud.setTokenLifetime(30_000);
    await login("crowd");
    yard.cloud.setTokenLifetime(HOUR_MS);
    const before = { ...yard.cloud.refreshes };
    const crowd = await Promise.all(
      Array.from({ length: 20 }, async () => (await yard.sandbox("kiro", "crowd")).id),
    );
    const accounts = await Promise.all(crowd.map((id) => whoami(id)));
    expect(new Set(accounts)).toEqual(new Set(["Builder ID"]));
    expect(yard.cloud.refreshes).toEqual({ ...before, accepted: before.accepted + 1 });
    expect((await profileOf("crowd"))?.sandboxes).toHaveLength(20);
    const [one = "", ...rest] = crowd;
    expect(await token(one)).toContain('"refresh_token":null');
    const session = await yard.session(one, { kind: "turns" });
    expect(await yard.ask(session, "say: still in")).toMatchObject({ outcome: "succeeded" });
    await Promise.all(rest.map((id) => yard.engine.sandboxes.remove(id)));
  });

  test("is renewed before a turn, and in the database of a Kiro that is at work in its terminal", async () => {
    await login("live");
    const { id } = await yard.sandbox("kiro", "live");
    const working = await yard.session(id, { terminal });
    const { terminalId } = await yard.until(working, "terminal-start", "agent");
    await yard.see(terminalId, /> /);
    await yard.type(terminalId, "say: one\r");
    await yard.see(terminalId, /one[^]*Credits/);
    const chat = await yard.session(id, { kind: "turns" });
    await yard.until(chat, "session-ready");
    const first = await token(id);
    const before = { ...yard.cloud.refreshes };
    yard.clock.aheadMs = HOUR_MS - 90_000;
    expect(await yard.ask(chat, "say: two")).toMatchObject({ outcome: "succeeded" });
    expect(yard.cloud.refreshes).toEqual({ ...before, accepted: before.accepted + 1 });
    const second = await token(id);
    expect(second).not.toBe(first);
    expect(second).toContain('"refresh_token":null');
    await yard.type(terminalId, "say: three\r");
    await yard.see(terminalId, /three[^]*Credits/);
    yard.clock.aheadMs = 0;
    await yard.engine.sandboxes.remove(id);
  });

  test("is kept by a login in a sandbox's first session, and stays there in a later one", async () => {
    const { id } = await yard.sandbox("kiro", "first");
    const session = await yard.session(id, { terminal });
    const { terminalId } = await yard.until(session, "terminal-start", "login");
    await yard.see(terminalId, /Use with Your Organization/);
    await yard.type(terminalId, "\r");
    const { text } = await yard.until(session, "notice");
    expect(text).toContain("Kept as the login profile first");
    await yard.until(session, "terminal-start", "agent");
    expect(await token(id)).toContain('"refresh_token":null');
    await yard.engine.sessions.end(session);
    await yard.engine.logins.remove(place("first"), never);

    const again = await yard.session(id, { terminal });
    const login2 = await yard.until(again, "terminal-start", "login");
    await yard.see(login2.terminalId, /Use with Your Organization/);
    await yard.type(login2.terminalId, "\r");
    expect((await yard.until(again, "notice")).text).toContain("stays in this sandbox");
    expect(await profileOf("first")).toBeUndefined();
    await yard.engine.sessions.end(again);
    await yard.engine.sandboxes.remove(id);
  });

  test("that its service has revoked is refused with 121, known as such, and out of the sandbox", async () => {
    await login("gone");
    const { id } = await yard.sandbox("kiro", "gone");
    expect(await whoami(id)).toBe("Builder ID");
    yard.cloud.revokeTokens();
    yard.clock.aheadMs = HOUR_MS - 90_000;
    const session = await yard.session(id, { kind: "turns" });
    const { exitCode, problem } = await yard.ending(session);
    expect([exitCode, problem?.code]).toEqual([121, "AGENT_NOT_SIGNED_IN"]);
    expect(problem?.hint).toContain("cattlegrid login kiro --profile gone");
    expect((await profileOf("gone"))?.status).toBe("refused");
    expect((await token(id)).trim()).toBe("");
    yard.clock.aheadMs = 0;
    await login("gone");
    expect((await profileOf("gone"))?.status).toBe("signed-in");
    expect(await whoami(id)).toBe("Builder ID");
    await yard.engine.sandboxes.remove(id);
  });

  test("that was revoked before its end fails the turn that finds it out with AGENT_NOT_SIGNED_IN", async () => {
    await login("sudden");
    const { id } = await yard.sandbox("kiro", "sudden");
    const session = await yard.session(id, { kind: "turns" });
    expect(await yard.ask(session, "say: in")).toMatchObject({ outcome: "succeeded" });
    yard.cloud.revokeTokens();
    expect(await codeOf(yard.turn(session, "say: out"))).toBe("AGENT_NOT_SIGNED_IN");
    expect((await profileOf("sudden"))?.status).toBe("refused");
    await yard.engine.sandboxes.remove(id);
  });

  test("that is removed is out of running sandboxes at once, and of others before they begin", async () => {
    await login("brief");
    const running = (await yard.sandbox("kiro", "brief")).id;
    const stopped = (await yard.sandbox("kiro", "brief")).id;
    for (const id of [running, stopped]) expect(await whoami(id)).toBe("Builder ID");
    await yard.engine.sandboxes.stop(stopped);
    await yard.engine.logins.remove(place("brief"), never);
    expect((await token(running)).trim()).toBe("");
    await yard.start(stopped);
    expect(await token(stopped)).toContain("access_token");
    const session = await yard.session(stopped, { kind: "turns" });
    expect((await yard.ending(session)).problem?.code).toBe("AGENT_NOT_SIGNED_IN");
    expect((await token(stopped)).trim()).toBe("");
    for (const id of [running, stopped]) await yard.engine.sandboxes.remove(id);
  });

  describe("as a bundle", () => {
    const bring = (profile: string, bundle: Buffer): Promise<LoginProfile> =>
      yard.engine.logins.importBundle(
        place(profile),
        { bundle: bundle.toString("base64"), mirrors: yard.mirrors() },
        never,
      );

    test("signs in elsewhere what was signed in here", async () => {
      await login("source");
      const bundle = await yard.engine.logins.exportBundle(place("source"), never);
      expect(await bring("copy", bundle)).toMatchObject({
        status: "signed-in",
        account: "Builder ID",
      });
      const { id } = await yard.sandbox("kiro", "copy");
      expect(await whoami(id)).toBe("Builder ID");
      await yard.engine.sandboxes.remove(id);
    });

    test("that has ended, or is none, is refused, and what was kept before stays", async () => {
      yard.cloud.setTokenLifetime(30_000);
      await login("old");
      const bundle = await yard.engine.logins.exportBundle(place("old"), never);
      yard.cloud.revokeTokens();
      yard.cloud.setTokenLifetime(HOUR_MS);
      await login("kept");
      const before = await profileOf("kept");
      expect(await codeOf(bring("kept", bundle))).toBe("SIGN_IN_EXPIRED");
      expect(await codeOf(bring("kept", bundle.subarray(0, 300)))).toBe("BUNDLE_INVALID");
      const nothing = zstdCompressSync(Buffer.alloc(1024));
      expect(await codeOf(bring("kept", nothing))).toBe("SIGN_IN_INVALID");
      expect(await profileOf("kept")).toEqual(before);
      expect(await codeOf(bring("../x", bundle))).toBe("REQUEST_INVALID");
      const absent = yard.engine.logins.exportBundle(place("absent"), never);
      expect(await codeOf(absent)).toBe("LOGIN_PROFILE_NOT_FOUND");
    });
  });

  test("stays a copy of the profile's in a sandbox that is made anew with its sign-in", async () => {
    await login("anew");
    const { id } = await yard.sandbox("kiro", "anew");
    expect(await whoami(id)).toBe("Builder ID");
    const { upkeep } = yard.engine.sandboxes;
    const { sandbox } = await upkeep.recreate(
      id,
      { keepLogin: true, mirrors: yard.mirrors() },
      never,
    );
    expect((await profileOf("anew"))?.sandboxes).toEqual([sandbox.name]);
    await yard.engine.sandboxes.remove(sandbox.id);
  });

  test("is made nowhere where an agent may have been at work", async () => {
    const { id } = await yard.sandbox();
    const refused = yard.session(id, { login: { profile: "default" } });
    expect(await codeOf(refused)).toBe("REQUEST_INVALID");
    await yard.engine.sandboxes.remove(id);
  });
});
