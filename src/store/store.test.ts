import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { SandboxRow } from "./sandbox-rows.ts";
import type { SessionRow } from "./session-rows.ts";
import { openStore } from "./store.ts";

let directory = "";
beforeEach(() => void (directory = mkdtempSync(join(tmpdir(), "cg-store-"))));
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const code = (expected: string): unknown => expect.objectContaining({ code: expected });

function sandboxRow(change: Partial<SandboxRow> = {}): SandboxRow {
  return {
    id: "s1",
    owner: "local:1",
    name: "shell-a",
    agent: "shell",
    provider: "test",
    ephemeral: false,
    status: "created",
    createdAt: "2026-01-01T00:00:00.000Z",
    specification: {
      workspace: { path: "/w", mode: "direct" },
      isolation: "namespaces",
      environment: {},
      policy: { preset: "agent" },
      allow: [],
      deny: [],
      limits: {},
      toolchains: [],
      mirrors: null,
      removeAfterSession: false,
      protectedPaths: [],
      layers: [],
    },
    ...change,
  };
}

function sessionRow(change: Partial<SessionRow> = {}): SessionRow {
  const base = { id: "t1", owner: "local:1", sandboxId: "s1", agent: "shell" } as const;
  return { ...base, kind: "turns", status: "running", turns: 0, createdAt: "x", ...change };
}

describe("the state directory", () => {
  test("is made private, keeps its installation id, and may be closed twice", async () => {
    const stateDirectory = join(directory, "new/state");
    const first = await openStore({ stateDirectory });
    await first.close();
    await first.close();
    const second = await openStore({ stateDirectory });
    expect(second.installation).toBe(first.installation);
    expect(statSync(stateDirectory).mode & 0o777).toBe(0o700);
    expect(statSync(join(stateDirectory, "state.db")).mode & 0o777).toBe(0o600);
    await second.close();
  });

  test("is refused, and left as it was, when it holds somebody else's files", async () => {
    writeFileSync(join(directory, "thesis.txt"), "years of work");
    await expect(openStore({ stateDirectory: directory })).rejects.toEqual(code("STATE_NOT_OURS"));
    expect(readdirSync(directory)).toEqual(["thesis.txt"]);
  });

  test.each([
    ["a marker of another product", '{"product":"other","installation":"12345678"}'],
    ["a marker that is not JSON", "cattle"],
  ])("is refused with %s", async (_title, text) => {
    writeFileSync(join(directory, "cattlegrid.json"), text);
    await expect(openStore({ stateDirectory: directory })).rejects.toEqual(code("STATE_NOT_OURS"));
  });

  test("is refused when it is a file, or lies below one", async () => {
    const file = join(directory, "file");
    writeFileSync(file, "");
    for (const stateDirectory of [file, join(file, "below")]) {
      await expect(openStore({ stateDirectory })).rejects.toEqual(code("STATE_NOT_OURS"));
    }
  });

  test("survives a start that was cut off before its marker was in place", async () => {
    writeFileSync(join(directory, ".cattlegrid.json.new"), "{");
    const store = await openStore({ stateDirectory: directory });
    await store.close();
  });
});

describe("the database", () => {
  test("belongs to one daemon at a time", async () => {
    const store = await openStore({ stateDirectory: directory });
    await expect(openStore({ stateDirectory: directory })).rejects.toEqual(code("STATE_LOCKED"));
    await store.close();
    await (await openStore({ stateDirectory: directory })).close();
  });

  test("holds no variable of a sandbox any more once that is removed", async () => {
    const store = await openStore({ stateDirectory: directory });
    const row = sandboxRow();
    const environment = { TOKEN: "canary-of-a-variable" };
    await store.sandboxes.insert({ ...row, specification: { ...row.specification, environment } });
    const read = (): string => readFileSync(join(directory, "state.db"), "latin1");
    await store.close();
    expect(read()).toContain("canary-of-a-variable");
    const again = await openStore({ stateDirectory: directory });
    await again.sandboxes.remove(row.id);
    await again.close();
    expect(read()).not.toContain("canary-of-a-variable");
    expect(readdirSync(directory).filter((name) => name.endsWith("-wal"))).toEqual([]);
  });

  test("is free again when the process that held it is killed, with what it wrote", async () => {
    const script = `
      import { openStore } from ${JSON.stringify(join(import.meta.dirname, "store.ts"))};
      const store = await openStore({ stateDirectory: ${JSON.stringify(directory)} });
      await store.sandboxes.insert(${JSON.stringify(sandboxRow({ status: "running" }))});
      process.stdout.write("held");
      setInterval(() => {}, 1000);`;
    const holder = spawn(process.execPath, ["--input-type=module", "-e", script]);
    await once(holder.stdout, "data");
    await expect(openStore({ stateDirectory: directory })).rejects.toEqual(code("STATE_LOCKED"));
    holder.kill("SIGKILL");
    await once(holder, "close");
    const store = await openStore({ stateDirectory: directory });
    expect((await store.sandboxes.get("s1"))?.status).toBe("running");
    await store.close();
  });

  test("of a newer program is refused and not touched", async () => {
    await (await openStore({ stateDirectory: directory })).close();
    const path = join(directory, "state.db");
    const database = new DatabaseSync(path);
    database.exec("PRAGMA user_version = 99");
    database.close();
    const before = readFileSync(path);
    await expect(openStore({ stateDirectory: directory })).rejects.toEqual(code("STATE_TOO_NEW"));
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  test("that is damaged is refused with a code", async () => {
    await (await openStore({ stateDirectory: directory })).close();
    writeFileSync(join(directory, "state.db"), "not a database".repeat(1000));
    await expect(openStore({ stateDirectory: directory })).rejects.toEqual(code("STATE_CORRUPT"));
  });

  test("that is damaged in its middle is reported where it is read", async () => {
    const first = await openStore({ stateDirectory: directory });
    for (let n = 0; n < 200; n++) {
      await first.sandboxes.insert(sandboxRow({ id: `s${n}`, name: `shell-${n}` }));
    }
    await first.close();
    const path = join(directory, "state.db");
    const bytes = readFileSync(path);
    bytes.fill(0xff, 8192);
    writeFileSync(path, bytes);
    const read = async (): Promise<void> => {
      const store = await openStore({ stateDirectory: directory });
      try {
        await store.sandboxes.list();
      } finally {
        await store.close();
      }
    };
    await expect(read()).rejects.toEqual(code("STATE_CORRUPT"));
  });

  test("on a read-only path is refused", async () => {
    mkdirSync(join(directory, "state.db"));
    writeFileSync(
      join(directory, "cattlegrid.json"),
      '{"product":"cattlegrid","installation":"12345678"}',
    );
    await expect(openStore({ stateDirectory: directory })).rejects.toEqual(code("INTERNAL"));
  });
});

describe("sandbox and session rows", () => {
  test("keep what was written, unique by owner and name", async () => {
    const store = await openStore({ stateDirectory: directory });
    expect(await store.sandboxes.insert(sandboxRow())).toBe(true);
    expect(await store.sandboxes.insert(sandboxRow({ id: "s2" }))).toBe(false);
    expect(await store.sandboxes.insert(sandboxRow({ id: "s3", owner: "local:2" }))).toBe(true);
    await store.sandboxes.update("s1", { status: "stopped", statusReason: "died" });
    const expected = sandboxRow({ status: "stopped", statusReason: "died" });
    expect(await store.sandboxes.getByName("local:1", "shell-a")).toEqual(expected);
    await store.sandboxes.update("s1", { status: "running", statusReason: null, startedAt: "now" });
    expect(
      await store.sandboxes.findByWorkspace("local:1", { agent: "shell", workspace: "/w" }),
    ).toEqual(sandboxRow({ status: "running", startedAt: "now" }));
    expect(
      await store.sandboxes.findByWorkspace("local:1", { agent: "shell", workspace: null }),
    ).toBeUndefined();
    expect((await store.sandboxes.list("local:2")).map((row) => row.id)).toEqual(["s3"]);
    await store.close();
  });

  test("are listed as they were made, within one millisecond too", async () => {
    const store = await openStore({ stateDirectory: directory });
    for (const id of ["s2", "s1", "s3"]) await store.sandboxes.insert(sandboxRow({ id, name: id }));
    for (const id of ["t2", "t1"]) await store.sessions.insert(sessionRow({ id, sandboxId: "s2" }));
    expect((await store.sandboxes.list()).map(({ id }) => id)).toEqual(["s2", "s1", "s3"]);
    const oldest = await store.sandboxes.findByWorkspace("local:1", {
      agent: "shell",
      workspace: "/w",
    });
    expect(oldest?.id).toBe("s2");
    const sessions = await store.sessions.listBySandbox("s2");
    expect(sessions.map(({ id }) => id)).toEqual(["t2", "t1"]);
    await store.close();
  });

  test("of sessions go with their sandbox, and open ones can be lost together", async () => {
    const store = await openStore({ stateDirectory: directory });
    await store.sandboxes.insert(sandboxRow());
    await store.sessions.insert(sessionRow());
    await store.sessions.insert(sessionRow({ id: "t2", status: "ended", exitCode: 0 }));
    await store.sessions.update("t1", { turns: 2, conversationId: "c" });
    expect(await store.sessions.countOpen()).toBe(1);
    expect(await store.sessions.lose("later")).toEqual(["t1"]);
    expect(await store.sessions.get("t1")).toEqual(
      sessionRow({ status: "lost", turns: 2, conversationId: "c", endedAt: "later" }),
    );
    await store.sandboxes.remove("s1");
    expect(await store.sessions.list("local:1")).toEqual([]);
    await store.close();
  });
});
