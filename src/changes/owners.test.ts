import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, lchownSync, lstatSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { OverlayYard } from "../../test/support/overlay-yard.ts";
import { allOf, program, requirement, root } from "../../test/support/requirement.ts";

const PROGRAM = join(import.meta.dirname, "../../test/support/applying-program.ts");
const NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"];
const asRoot = root();

let yard: OverlayYard;
beforeEach(() => void (yard = new OverlayYard()));
afterEach(async () => yard.remove());

const ownerOf = (path: string): string => {
  const { uid, gid } = lstatSync(join(yard.workspace, path));
  return `${uid}:${gid}`;
};

describe.skipIf(!asRoot.met)(asRoot.title("what is applied as root"), () => {
  test("stays with whom it belonged to, and what is new belongs to the workspace's owner", async () => {
    yard.host("changed", "old");
    yard.host("linked", "old");
    yard.host("parted", "1\n2\n3\n4\n5\n6\n7\n8\n9\n");
    chownSync(yard.workspace, 4321, 4322);
    for (const path of ["changed", "linked", "parted"]) {
      lchownSync(join(yard.workspace, path), 1234, 1235);
    }
    await yard.begin();
    yard.wrote("changed", "new");
    yard.linked("linked", "changed");
    yard.wrote("parted", "one\n2\n3\n4\n5\n6\n7\n8\n9\n");
    yard.wrote("made/new", "new");
    yard.linked("made/link", "new");
    await yard.apply();
    const paths = ["changed", "linked", "parted", "made", "made/new", "made/link"];
    const [theirs, own] = ["1234:1235", "4321:4322"];
    expect(paths.map(ownerOf)).toEqual([theirs, theirs, theirs, own, own, own]);
  });
});

const readable = requirement("a clone that everybody can read", () => {
  const [file = "", ...rest] = NOBODY;
  const { status } = spawnSync(file, [...rest, process.execPath, "--check", PROGRAM]);
  return status === 0 ? undefined : "an ordinary user cannot read this one";
});
const asNobody = allOf(asRoot, program("setpriv"), readable);

describe.skipIf(!asNobody.met)(asNobody.title("what is applied as an ordinary user"), () => {
  beforeEach(() => {
    chmodSync(yard.directory, 0o755);
    mkdirSync(yard.records);
    for (const path of [dirname(yard.workspace), yard.workspace, yard.upper, yard.records]) {
      chownSync(path, 65_534, 65_534);
    }
  });

  function apply(wish: object = {}): { applied: string[]; held: object[]; error: string } {
    const [file = "", ...rest] = NOBODY;
    const { workspace, upper, records } = yard;
    const words = [workspace, upper, records, "", JSON.stringify(wish)];
    const { stdout, stderr } = spawnSync(file, [...rest, process.execPath, PROGRAM, ...words], {
      env: { ...process.env, BEGUN_AT_NS: String(yard.begunAtNs), REPORT: "result" },
      encoding: "utf8",
    });
    const parsed = stdout === "" ? { applied: [], held: [] } : (JSON.parse(stdout) as object);
    return { ...(parsed as { applied: string[]; held: object[] }), error: stderr };
  }

  test("holds files of others, which would become the user's, until they are approved", async () => {
    yard.host("theirs", "old");
    yard.host("theirs too", "old");
    yard.host("own", "old");
    chownSync(join(yard.workspace, "own"), 65_534, 65_534);
    await yard.begin();
    yard.wrote("theirs", "new");
    yard.deleted("theirs too");
    yard.wrote("own", "new");
    const holds = [{ class: "owner", reason: "belongs to another user (0)" }];
    expect(apply()).toMatchObject({
      applied: [{ path: "own" }],
      held: [
        { path: "theirs", holds },
        { path: "theirs too", holds },
      ],
    });
    expect([ownerOf("theirs"), yard.tree()["theirs"]]).toEqual(["0:0", "644 old"]);
    expect(apply({ approve: ["theirs"] }).applied).toEqual([{ path: "theirs", kind: "modified" }]);
    expect([ownerOf("theirs"), yard.tree()["theirs"]]).toEqual(["65534:65534", "644 new"]);
  });

  test("is nothing at all, with a code, when a directory of others may not be written", async () => {
    yard.host("own", "old");
    yard.host("theirs/kept", "old");
    chownSync(join(yard.workspace, "own"), 65_534, 65_534);
    await yard.begin();
    yard.wrote("own", "new");
    yard.wrote("theirs/new", "new");
    const before = yard.tree();
    expect(apply().error).toContain("WORKSPACE_FORBIDDEN");
    expect(yard.tree()).toEqual(before);
    expect(yard.leftovers()).toEqual([]);
    expect(apply({ paths: ["own"] }).applied).toEqual([{ path: "own", kind: "modified" }]);
  });
});
