import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { collect, CommandLine, type CommandResult } from "../support/command-line.ts";
import { program } from "../support/requirement.ts";

const canIsolate = program("crun");

describe.skipIf(!canIsolate.met)(canIsolate.title("cp"), () => {
  let cli: CommandLine;
  /** Of this machine, and not of the sandbox. */
  let here: string;

  const inside = async (script: string): Promise<CommandResult> =>
    cli.run(["exec", "box", "--", "sh", "-c", script]);
  const copy = (...words: string[]): Promise<CommandResult> =>
    cli.run(["cp", ...words], { cwd: here });
  const codeOf = ({ code, stderr }: CommandResult): unknown[] => [
    code,
    /code: (\S+)/.exec(stderr)?.[1],
  ];

  beforeAll(async () => {
    cli = new CommandLine();
    here = join(cli.directory, "here");
    mkdirSync(here);
    await cli.run(["run", "shell", "--name", "box", "--", "-c", "true"]);
  });
  afterAll(() => cli.close());

  test("brings files and directories out and in again, byte for byte", async () => {
    const bytes = Buffer.from(Array.from({ length: 3_000_001 }, (_, at) => (at * 31) % 251));
    mkdirSync(join(here, "tree/deep er"), { recursive: true });
    writeFileSync(join(here, "tree/deep er/data"), bytes);
    writeFileSync(join(here, "tree/run.sh"), "#!/bin/sh\n", { mode: 0o755 });
    symlinkSync("run.sh", join(here, "tree/link"));
    expect(await copy("tree", "box:~/")).toMatchObject({ code: 0, stdout: "" });
    expect((await inside('stat -c "%U %a" ~/tree/run.sh; readlink ~/tree/link')).stdout).toBe(
      "agent 755\nrun.sh\n",
    );
    expect((await copy("box:~/tree", "back")).code).toBe(0);
    const sum = (path: string): string =>
      createHash("sha256").update(readFileSync(path)).digest("hex");
    expect(sum(join(here, "back/deep er/data"))).toBe(sum(join(here, "tree/deep er/data")));
    expect(statSync(join(here, "back/run.sh")).mode & 0o7777).toBe(0o755);
    expect(lstatSync(join(here, "back/link")).isSymbolicLink()).toBe(true);
    const { uid } = statSync(join(here, "back/run.sh"));
    expect(uid).toBe(process.getuid!());
  });

  test("takes the content of a directory with `/.`, both ways, and JSON tells how much", async () => {
    mkdirSync(join(here, "some"), { recursive: true });
    writeFileSync(join(here, "some/one"), "1");
    await inside("mkdir -p ~/into; echo kept > ~/into/two");
    expect((await copy("some/.", "box:~/into")).code).toBe(0);
    mkdirSync(join(here, "from"));
    const { stdout } = await copy("--json", "box:~/into/.", "from");
    expect(JSON.parse(stdout)).toMatchObject({ files: 2, bytes: 6, leftOut: [] });
    expect(readdirSync(join(here, "from")).toSorted()).toEqual(["one", "two"]);
  });

  test("replaces a directory by force alone, on either side", async () => {
    mkdirSync(join(here, "twice"));
    writeFileSync(join(here, "twice/a"), "");
    const results = [
      await copy("twice", "box:/tmp/"),
      await copy("twice", "box:/tmp/"),
      await copy("--force", "twice", "box:/tmp/"),
      await copy("box:/tmp/twice", "."),
      await copy("-f", "box:/tmp/twice", "."),
    ];
    expect(results.map(codeOf)).toEqual([
      [0, undefined],
      [125, "COPY_TARGET"],
      [0, undefined],
      [125, "COPY_TARGET"],
      [0, undefined],
    ]);
    expect((await inside("ls -A /tmp | grep -c twice")).stdout).toBe("1\n");
  });

  test("reads and writes tar streams", async () => {
    mkdirSync(join(here, "packed"));
    writeFileSync(join(here, "packed/a"), "packed\n");
    const { stdout: archive } = spawnSync("tar", ["-cf", "-", "-C", here, "packed"]);
    const sent = await cli.run(["cp", "-", "box:~/"], { input: archive });
    expect([sent.code, (await inside("cat ~/packed/a")).stdout]).toEqual([0, "packed\n"]);
    const { bytes, code } = await copy("box:~/packed", "-");
    const listed = spawnSync("tar", ["-tf", "-"], { input: bytes }).stdout.toString();
    expect([code, listed]).toEqual([0, "packed/\npacked/a\n"]);
  });

  test("leaves out what leads elsewhere, tells it on one line each, and ends with 1", async () => {
    await inside(
      'mkdir ~/odd; cd ~/odd; ln -s /etc/passwd out; mkfifo "$(printf "pi\\npe")"; echo 1 > fine; ln fine two',
    );
    const { code, stderr } = await copy("box:~/odd", "odd");
    expect([code, readdirSync(join(here, "odd")).toSorted()]).toEqual([1, ["fine", "two"]]);
    const lines = stderr.trimEnd().split("\n").toSorted();
    expect(lines).toHaveLength(3);
    expect(lines[1]).toBe("cattlegrid: left out ./odd/out: it is a link to /etc/passwd.");
    expect(lines[2]).toContain(String.raw`pi\x0ape`);
  });

  test("brings no set-user-id bit in", async () => {
    writeFileSync(join(here, "su"), "", { mode: 0o755 });
    spawnSync("chmod", ["6755", join(here, "su")]);
    expect((await copy("su", "box:~/su")).code).toBe(0);
    expect((await inside("stat -c %a ~/su")).stdout).toBe("755\n");
  });

  test.each([
    ["what is not there inside", ["box:~/absent", "x"], "COPY_SOURCE"],
    ["what is not there outside", ["absent", "box:~/"], "COPY_SOURCE"],
    ["a target in no directory", ["box:/etc/hostname", "no/such/place"], "COPY_TARGET"],
    ["a target in no directory inside", ["here", "box:/no/such/place"], "COPY_TARGET"],
    ["a target that nobody may write", ["here", "box:/usr/lib"], "COPY_FAILED"],
    ["more than the limit", ["--max-size", "10", "box:/usr/bin/dash", "x"], "COPY_TOO_LARGE"],
    ["more files than the limit", ["--max-files", "2", "box:/etc", "x"], "COPY_TOO_LARGE"],
    ["two sandboxes", ["box:/a", "box:/b"], "USAGE"],
    ["no sandbox", ["a", "b"], "USAGE"],
    ["no path inside", ["box:", "b"], "USAGE"],
    ["a sandbox that is not there", ["nowhere:/a", "b"], "SANDBOX_NOT_FOUND"],
  ])("%s has a code and a hint, and leaves nothing", async (_title, words, code) => {
    mkdirSync(join(here, "here"), { recursive: true });
    const before = readdirSync(here);
    const result = await copy(...words);
    expect(codeOf(result)).toEqual([125, code]);
    expect([result.stdout, readdirSync(here)]).toEqual(["", before]);
  });

  describe("against a sandbox that lies", () => {
    const pretend = async (python: string): Promise<CommandResult> => {
      await inside(`mkdir -p ~/.local/bin && cat > ~/.local/bin/tar <<'END'
#!/usr/bin/env python3
import tarfile, sys, io
out = tarfile.open(mode="w|", fileobj=sys.stdout.buffer)
def add(name, kind=tarfile.REGTYPE, link="", data=b"evil"):
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname, entry.mode = kind, link, 0o6777
    entry.size = len(data) if kind == tarfile.REGTYPE else 0
    out.addfile(entry, io.BytesIO(data))
add("./asked", tarfile.DIRTYPE)
${python}
out.close()
END
chmod +x ~/.local/bin/tar; mkdir -p ~/asked`);
      const result = await copy("box:~/asked", "asked");
      return result;
    };
    const canPretend = program("python3");

    test.skipIf(!canPretend.met).each([
      ["upwards", 'add("./asked/../../evil")'],
      ["at an absolute place", 'add("/tmp/evil-copy")'],
      ["that was not asked for", 'add("./evil")'],
      ["through its own link", 'add("./asked/l", tarfile.SYMTYPE, "d"); add("./asked/l/evil")'],
      ["twice", 'add("./asked/a"); add("./asked/a")'],
    ])(canPretend.title("refuses an entry %s and leaves nothing"), async (_title, python) => {
      const before = readdirSync(cli.directory);
      expect(codeOf(await pretend(python))).toEqual([125, "COPY_REFUSED"]);
      expect([existsSync(join(here, "asked")), readdirSync(cli.directory)]).toEqual([
        false,
        before,
      ]);
      expect(readdirSync(here).filter((name) => name.startsWith("."))).toEqual([]);
    });

    test.skipIf(!canPretend.met)(
      canPretend.title("takes what is harmless, without its set-user-id bits"),
      async () => {
        const script =
          'add("./asked/a"); add("./asked/dev", tarfile.CHRTYPE); add("./asked/h", tarfile.LNKTYPE, "/etc/passwd")';
        expect((await pretend(script)).code).toBe(1);
        expect(readdirSync(join(here, "asked"))).toEqual(["a"]);
        expect(statSync(join(here, "asked/a")).mode & 0o7777).toBe(0o777);
        rmSync(join(here, "asked"), { recursive: true });
        await inside("rm ~/.local/bin/tar");
      },
    );
  });

  test("what the agent linked in the workspace is followed neither in nor out", async () => {
    writeFileSync(join(here, "secret"), "secret");
    await inside(`ln -s '${here}' data`);
    const cwd = cli.workspace;
    const outcomes = [
      await cli.run(["cp", "data/secret", "box:/tmp/"], { cwd }),
      await cli.run(["cp", "box:/etc/hostname", "data/"], { cwd }),
      await cli.run(["cp", "box:/etc/hostname", "real"], { cwd }),
    ];
    expect(outcomes.map(codeOf)).toEqual([
      [125, "COPY_REFUSED"],
      [125, "COPY_REFUSED"],
      [0, undefined],
    ]);
    expect(existsSync(join(here, "hostname"))).toBe(false);
  });

  test.each([
    ["interrupted", "SIGINT", 130],
    ["killed", "SIGKILL", 137],
  ] as const)("a copy that is %s leaves nothing on either side", async (_, signal, status) => {
    const child = cli.spawn(["cp", "-", "box:~/into"]);
    const result = collect(child);
    child.stdin!.on("error", () => undefined);
    // The header of a file that never comes.
    const { stdout: archive } = spawnSync("tar", ["-cf", "-", "-C", here, "tree"]);
    child.stdin!.write(archive.subarray(0, 1_000_000));
    const look = "ls -A ~/into | grep -c cattlegrid-copy";
    await expect.poll(async () => (await inside(look)).stdout, { timeout: 20_000 }).toBe("1\n");
    child.kill(signal);
    expect((await result).code).toBe(status);
    await expect.poll(async () => (await inside(look)).stdout, { timeout: 20_000 }).toBe("0\n");
  });
});
