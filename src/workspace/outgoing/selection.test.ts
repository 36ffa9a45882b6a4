import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { readTar } from "../../platform/tar/tar-reader.ts";
import { packFiles, type Packed } from "./archive.ts";
import { selectOutgoing, type Outgoing } from "./selection.ts";

const NEVER = new AbortController().signal;
const TOKEN = ["ghp_", "wWPw5k4aXcaT4fNP0UcnZwJUVFk6LO0pINUx"].join("");

let directory: string;
let workspace: string;
beforeEach(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), "cg-outgoing-")));
  workspace = join(directory, "project");
  mkdirSync(workspace);
});
afterEach(() => rmSync(directory, { recursive: true }));

const at = (path: string): string => join(workspace, path);
function write(path: string, text = "text\n"): void {
  mkdirSync(dirname(at(path)), { recursive: true });
  writeFileSync(at(path), text);
}
function git(where: string, ...args: readonly string[]): void {
  const own = ["-C", where, "-c", "user.name=x", "-c", "user.email=x@y"];
  execFileSync("git", [...own, "-c", "protocol.file.allow=always", ...args], { stdio: "pipe" });
}
function commit(where = workspace): void {
  git(where, "init", "-q", "--template=");
  git(where, "add", "-A", "--force");
  git(where, "commit", "-qm", "all");
}
/** What git itself would not write. Both names are as long as each other. */
function renameInIndex(from: string, to: string): void {
  const index = readFileSync(at(".git/index")).subarray(0, -20);
  index.write(to, index.indexOf(from));
  const sum = createHash("sha1").update(index).digest();
  writeFileSync(at(".git/index"), Buffer.concat([index, sum]));
}
const select = (path = workspace, ...include: readonly string[]): Promise<Outgoing> =>
  selectOutgoing({ workspace: path, include, signal: NEVER });
const pathsOf = ({ files }: Outgoing): string[] => files.map(({ path }) => path);
const leftOf = ({ leftBehind }: Outgoing): string[] => leftBehind.map(({ path }) => path);

describe("of a repository", () => {
  test("tracked files go as they are in the working tree; what is deleted there does not", async () => {
    for (const path of ["a", "d/b", "gone", 'odd\n"name']) write(path);
    commit();
    rmSync(at("gone"));
    write("a", "changed\n");
    write("untracked");
    const outgoing = await select();
    expect(pathsOf(outgoing)).toEqual(["a", "d/b", 'odd\n"name']);
    expect(outgoing).toMatchObject({ kind: "repository", untracked: 1, sizeBytes: 18 });
  });

  test("whose configuration says that it has no working tree is refused, and not taken for a folder", async () => {
    for (const path of [".gitignore", "a"]) write(path, "ignored\n");
    commit();
    write("ignored");
    expect(pathsOf(await select())).toEqual([".gitignore", "a"]);
    git(workspace, "config", "core.bare", "true");
    await expect(select()).rejects.toMatchObject({ code: "GIT_FAILED" });
  });

  test("whose index names what lies outside of it is refused", async () => {
    write("aa/x");
    writeFileSync(join(directory, "x"), "outside\n");
    commit();
    expect(pathsOf(await select())).toEqual(["aa/x"]);
    renameInIndex("aa/x", "../x");
    await expect(select()).rejects.toMatchObject({ code: "GIT_FAILED" });
  });

  test("secrets stay though they are tracked, each with its reason; their like that is made to be shared goes", async () => {
    const secrets = [
      ".env",
      "deploy/.env.production",
      ".netrc",
      "keys/id_ed25519",
      "release.p12",
      ".aws/config",
    ];
    for (const path of [...secrets, ".env.example", "env.ts"]) write(path);
    write("notes", `token ${TOKEN}\n`);
    commit();
    const outgoing = await select();
    expect(pathsOf(outgoing)).toEqual([".env.example", "env.ts"]);
    expect(leftOf(outgoing).toSorted()).toEqual([...secrets, "notes"].toSorted());
    expect(JSON.stringify(outgoing.leftBehind)).not.toContain(TOKEN);
    expect(pathsOf(await select(workspace, ".env", "notes"))).toEqual([
      ".env",
      ".env.example",
      "env.ts",
      "notes",
    ]);
    expect(pathsOf(await select(workspace, "**"))).toEqual([".env.example", "env.ts"]);
  });

  test("links that stay inside go; links out of it, pipes and sockets stay", async () => {
    write("a");
    symlinkSync("a", at("inside"));
    symlinkSync("/etc/passwd", at("absolute"));
    symlinkSync("../beside", at("climbing"));
    commit();
    execFileSync("mkfifo", [at("pipe")]);
    const outgoing = await select(workspace, "pipe");
    expect(pathsOf(outgoing)).toEqual(["a", "inside"]);
    expect(leftOf(outgoing).toSorted()).toEqual(["absolute", "climbing"]);
  });

  test("files of submodules go, without their repositories", async () => {
    const library = join(directory, "library");
    mkdirSync(library);
    writeFileSync(join(library, "l"), "x");
    commit(library);
    write("a");
    commit();
    git(workspace, "submodule", "--quiet", "add", library, "libs/one");
    expect(pathsOf(await select())).toEqual([".gitmodules", "a", "libs/one/l"]);
  });

  test("a linked worktree, and a directory within a repository, are like any other", async () => {
    write("a");
    write("sub/b");
    commit();
    git(workspace, "worktree", "add", "-q", join(directory, "linked"));
    expect(pathsOf(await select(join(directory, "linked")))).toEqual(["a", "sub/b"]);
    expect(pathsOf(await select(at("sub")))).toEqual(["b"]);
  });

  test("nothing that its configuration names is run", async () => {
    write("a");
    write(".gitattributes", "* filter=mine\n");
    commit();
    const mark = join(directory, "ran");
    for (const key of ["core.fsmonitor", "filter.mine.clean", "filter.mine.process"]) {
      git(workspace, "config", key, `touch '${mark}'; false`);
    }
    write("a", "changed\n");
    await select();
    expect(() => realpathSync(mark)).toThrow("ENOENT");
  });

  test("one that git refuses is no reason to send what it ignores", async () => {
    write("a");
    mkdirSync(at(".git"));
    writeFileSync(at(".git/HEAD"), "nonsense");
    await expect(select()).rejects.toMatchObject({ code: "GIT_FAILED" });
  });

  test("more than may be sent is refused, and the largest are named", async () => {
    write("small");
    write("huge");
    truncateSync(at("huge"), 2 ** 30 + 1);
    git(workspace, "init", "-q", "--template=");
    git(workspace, "add", "-N", "-A");
    await expect(select()).rejects.toMatchObject({
      code: "WORKSPACE_TOO_LARGE",
      message: expect.stringContaining('"huge"'),
    });
  });
});

describe("of a folder that is no repository", () => {
  test("everything goes, but secrets and what belongs to git", async () => {
    for (const path of ["a", "d/b", ".env", "nested/.git/config", "nested/file"]) write(path);
    const outgoing = await select();
    expect(pathsOf(outgoing)).toEqual(["a", "d/b", "nested/file"]);
    expect(outgoing).toMatchObject({ kind: "folder", leftBehind: [{ path: ".env" }] });
  });
});

describe("packing", () => {
  async function pack(outgoing: Outgoing): Promise<{ names: string[]; packed: Packed }> {
    const packed: Packed = { entries: new Map(), leftBehind: [] };
    const names: string[] = [];
    const { files } = outgoing;
    for await (const archive of packFiles({ workspace, files, signal: NEVER }, packed)) {
      async function* chunks(): AsyncGenerator<Buffer> {
        yield archive;
      }
      for await (const { entry } of readTar(chunks()))
        names.push(`${entry.name} ${entry.mode.toString(8)}`);
    }
    return { names, packed };
  }

  test("keeps modes, and has each directory before what is in it", async () => {
    write("d/e/tool");
    execFileSync("chmod", ["755", at("d/e/tool")]);
    symlinkSync("d", at("link"));
    const { names, packed } = await pack(await select());
    expect(names).toEqual(["d/ 755", "d/e/ 755", "d/e/tool 755", "link 777"]);
    expect(packed.entries.get("link")).toMatchObject({ hash: "link d" });
  });

  test("a file that becomes a secret, or a link, after it was looked at stays", async () => {
    for (const path of ["a", "b", "c"]) write(path);
    const outgoing = await select();
    write("a", `token ${TOKEN}\n`);
    rmSync(at("b"));
    symlinkSync("/etc/passwd", at("b"));
    const { names, packed } = await pack(outgoing);
    expect(names).toEqual(["c 644"]);
    expect(packed.leftBehind.map(({ path }) => path)).toEqual(["a", "b"]);
  });
});
