import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createSmallAgents } from "../../../test/support/small-agents.ts";
import type { AgentRegistry } from "../registry.ts";
import { createFileAgents } from "./file-agents.ts";

const MINE = "title: Mine\ncommand: [mine]\n";

let root: string;
let agents: AgentRegistry;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "cg-agents-"));
  const directories = { own: join(root, "own"), others: [join(root, "others")] };
  agents = createFileAgents(createSmallAgents(), directories);
});
afterEach(() => rmSync(root, { recursive: true }));

function write(place: string, text: string): void {
  mkdirSync(join(root, place, ".."), { recursive: true });
  writeFileSync(join(root, place), text);
}
const ids = (): string[] => agents.list().map(({ id }) => id);
const broken = (): string[] => agents.broken().map(({ id }) => id);

test("without files there are those that are built in", () => {
  expect(ids()).toEqual(["shell", "other"]);
  expect(broken()).toEqual([]);
  expect(agents.get("mine")).toBeUndefined();
});

test("a file that comes, changes or goes counts at once", () => {
  write("own/mine.yaml", MINE);
  expect(agents.get("mine")?.title).toBe("Mine");
  expect(ids()).toEqual(["shell", "other", "mine"]);
  write("own/mine.yaml", MINE.replace("Mine", "Yours"));
  expect(agents.get("mine")?.title).toBe("Yours");
  rmSync(join(root, "own/mine.yaml"));
  expect(agents.get("mine")).toBeUndefined();
});

test("an organisation's file wins over one's own", () => {
  write("own/mine.yaml", MINE);
  write("others/mine.yaml", MINE.replace("Mine", "Theirs"));
  expect(agents.get("mine")?.title).toBe("Theirs");
  expect(ids()).toEqual(["shell", "other", "mine"]);
});

test("a file that is wrong is told of, and takes no other agent away", () => {
  write("own/good.yaml", MINE);
  write("own/wrong.yaml", "title: Wrong\n");
  write("own/shell.yaml", MINE);
  write("own/UPPER.yaml", MINE);
  write("own/large.yaml", `${MINE}# ${"x".repeat(262_144)}\n`);
  write("own/notes.txt", "not an agent");
  mkdirSync(join(root, "own/folder.yaml"));
  symlinkSync("/nowhere", join(root, "own/link.yaml"));
  expect(ids()).toEqual(["shell", "other", "good"]);
  expect(broken()).toEqual(["UPPER", "folder", "large", "link", "shell", "wrong"]);
  expect(() => agents.get("wrong")).toThrow(`${join(root, "own/wrong.yaml")}:1:1: command`);
  expect(agents.get("shell")?.title).toBe("shell");
  expect(agents.get("../own/good")).toBeUndefined();
});

test("a file is added as a whole or not at all, for its owner alone", async () => {
  const path = "/somewhere/mine.yaml";
  await agents.files?.add("mine", { path, text: MINE });
  expect(statSync(join(root, "own/mine.yaml")).mode & 0o777).toBe(0o600);
  await expect(agents.files?.add("mine", { path, text: "title: x\n" })).rejects.toMatchObject({
    code: "AGENT_FILE_INVALID",
    message: expect.stringContaining("/somewhere/mine.yaml:1:1"),
  });
  expect(agents.get("mine")?.title).toBe("Mine");
  expect(readdirSync(join(root, "own"))).toEqual(["mine.yaml"]);
});

test.each(["shell", "../x", "Mine", ""])("%j is no name that one can add", async (id) => {
  const added = agents.files?.add(id, { path: "x.yaml", text: MINE });
  await expect(added).rejects.toMatchObject({ code: "AGENT_FILE_INVALID" });
});

test("one's own is removed, and nothing else", async () => {
  write("own/mine.yaml", MINE);
  write("others/theirs.yaml", MINE);
  await agents.files?.remove("mine");
  expect(ids()).toEqual(["shell", "other", "theirs"]);
  for (const id of ["mine", "theirs", "shell", "../others/theirs"]) {
    await expect(agents.files?.remove(id)).rejects.toMatchObject({ code: "AGENT_UNKNOWN" });
  }
});
