import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { collect, CommandLine, type CommandResult } from "../support/command-line.ts";
import { OpenSsh, openSshNeeds } from "../support/openssh.ts";
import { program } from "../support/requirement.ts";
import { Screen } from "../support/screen.ts";
import { processesNaming } from "../support/traces.ts";

const HOST = "box.cattlegrid";
const WAIT = { timeout: 20_000, interval: 100 };
const rsync = program("rsync");

describe.skipIf(!openSshNeeds.met)(openSshNeeds.title("OpenSSH and a sandbox"), () => {
  let cli: CommandLine;
  let ssh: OpenSsh;

  const inside = async (...argv: string[]): Promise<CommandResult> =>
    cli.run(["exec", "box", "--", ...argv]);
  const write = (name: string, bytes: string | Uint8Array): string => {
    const path = join(cli.directory, name);
    writeFileSync(path, bytes);
    return path;
  };
  const read = (name: string): Buffer => readFileSync(join(cli.directory, name));
  /** What leads into sandboxes of this test. */
  const proxies = (): number[] =>
    processesNaming(cli.directory)
      .filter((line) => line.includes("ssh-proxy"))
      .map((line) => Number.parseInt(line, 10));

  beforeAll(async () => {
    cli = new CommandLine();
    cli.environment["CATTLEGRID_HOME"] = join(cli.directory, "it's my state 100%");
    await cli.run(["run", "shell", "--name", "box", "--", "-c", "true"]);
    ssh = await OpenSsh.install(cli);
  });
  afterAll(() => cli.close());

  describe("runs commands", () => {
    test("inside, in the home directory, with their own status and the two streams apart", async () => {
      const { code, stdout, stderr } = await ssh.run([HOST, "id -un; pwd; echo no >&2; exit 7"]);
      expect([code, stdout, stderr]).toEqual([7, "agent\n/home/agent\n", "no\n"]);
      const killed = await ssh.run([HOST, "kill -9 $$"]);
      expect(killed.code).toBe(137);
    });

    test("byte for byte both ways, also when the keys change on the way", async () => {
      const bytes = randomBytes(3_000_000);
      const result = await ssh.run(["-o", "RekeyLimit=256K", HOST, "cat"], { input: bytes });
      expect(result.bytes.equals(bytes)).toBe(true);
      expect([result.code, result.stderr]).toEqual([0, ""]);
    });

    test("with every byte of both streams, for a client that takes its time with each", async () => {
      const script = `for part in 1 2 3; do
        head -c 3000000 /dev/zero | tr "\\0" $part
        head -c 3000000 /dev/zero | tr "\\0" $part >&2
      done`;
      const child = ssh.spawn("ssh", [HOST, script]);
      const slowly = async (stream: NodeJS.ReadableStream): Promise<string> => {
        const counts: Record<string, number> = {};
        for await (const chunk of stream) {
          for (const byte of chunk as Buffer) counts[byte] = (counts[byte] ?? 0) + 1;
          await delay(5);
        }
        return JSON.stringify(counts);
      };
      const whole = JSON.stringify({ 49: 3_000_000, 50: 3_000_000, 51: 3_000_000 });
      expect(await Promise.all([slowly(child.stdout!), slowly(child.stderr!)])).toEqual([
        whole,
        whole,
      ]);
    });

    test("as shells do: a script on standard input is read by a login shell", async () => {
      const input = "shopt -q login_shell && echo login; pwd; exit 4\n";
      const { code, stdout } = await ssh.run(["-T", HOST], { input });
      expect([code, stdout]).toEqual([4, "login\n/home/agent\n"]);
    });

    test("with the language of the client, and no other variable of it", async () => {
      const environment = { LC_TIME: "C", CG_SECRET: "s3cret", NO_COLOR: "1" };
      const options = ["-o", "SendEnv=LC_TIME CG_SECRET NO_COLOR"];
      const { stdout } = await ssh.run([...options, HOST, 'echo "$LC_TIME,$NO_COLOR,$CG_SECRET"'], {
        environment,
      });
      expect(stdout).toBe("C,1,\n");
    });

    test("several over one connection", async () => {
      const control = ["-o", `ControlPath=${join(cli.directory, "%C")}`];
      await using _master = await ssh.hold([...control, "-M", HOST]);
      const numbers = [1, 2, 3, 4, 5, 6];
      const results = await Promise.all(
        numbers.map((number) => ssh.run([...control, HOST, `echo ${number}; exit ${number}`])),
      );
      expect(results.map(({ code, stdout }) => [code, stdout])).toEqual(
        numbers.map((number) => [number, `${number}\n`]),
      );
      expect(proxies()).toHaveLength(1);
    });
  });

  const tmux = program("tmux");
  test.skipIf(!tmux.met)(tmux.title("gives a shell a terminal of the client's size"), async () => {
    using screen = new Screen({ cwd: cli.directory, environment: cli.environment });
    await screen.shows("HOST>");
    screen.enter(`clear; ssh -F '${ssh.configuration}' ${HOST}; echo status=$?`);
    await screen.shows(/\$ ?$/);
    screen.enter('echo "$(stty size) $TERM $PWD"');
    await screen.shows(/^40 100 (tmux|screen)\S* \/.*my, project: one$/m);
    screen.resize(90, 30);
    screen.enter("stty size; echo asleep; sleep 100");
    await screen.shows(/^30 90\nasleep$/m);
    screen.press("C-c");
    screen.enter("exit 6");
    await screen.shows("status=6");
  });

  describe("moves files", () => {
    test.each([[[]], [["-O"]]])("with scp %j, in and out, directories too", async (options) => {
      const bytes = randomBytes(2_000_000);
      mkdirSync(join(cli.directory, "tree"), { recursive: true });
      write("tree/a file", bytes);
      const into = ["-r", ...options, join(cli.directory, "tree"), `${HOST}:copied`];
      expect(await ssh.runProgram("scp", into)).toMatchObject({ code: 0 });
      const back = [...options, `${HOST}:copied/a file`, join(cli.directory, "back")];
      const quoted =
        options.length === 0 ? back : [...options, `${HOST}:copied/a\\ file`, back.at(-1)!];
      expect(await ssh.runProgram("scp", quoted)).toMatchObject({ code: 0 });
      expect(read("back").equals(bytes)).toBe(true);
      await inside("rm", "-r", "/home/agent/copied");
    });

    test("with sftp, beginning in the home directory", async () => {
      const batch = write(
        "batch",
        `put "${write("up", "text")}" there\nrename there then\nget then "${join(cli.directory, "down")}"\npwd\n`,
      );
      const { code, stdout } = await ssh.runProgram("sftp", ["-b", batch, HOST]);
      expect([code, read("down").toString()]).toEqual([0, "text"]);
      expect(stdout).toContain("Remote working directory: /home/agent");
    });

    test("and no link inside leads to a file of the host", async () => {
      const secret = write("secret", "of the host");
      await inside("sh", "-c", `ln -sf ${secret} ~/out; echo own > ~/own; ln -sf own ~/in`);
      const get = (name: string): Promise<CommandResult> =>
        ssh.runProgram("scp", [`${HOST}:${name}`, join(cli.directory, "got")]);
      expect(await get("out")).toMatchObject({
        code: 1,
        stderr: expect.stringContaining("No such"),
      });
      expect(await get("in")).toMatchObject({ code: 0 });
      expect(read("got").toString()).toBe("own\n");
    });

    test.skipIf(!rsync.met)(
      rsync.title("with rsync, both ways, and only what differs"),
      async () => {
        const shell = `ssh -F '${ssh.configuration}'`;
        const sync = async (from: string, to: string): Promise<CommandResult> => {
          const argv = ["-rlti", "--delete", "-e", shell, from, to];
          const options = { env: { ...cli.environment, SHELL: "/bin/sh" } };
          return collect(spawn("rsync", argv, options));
        };
        const tree = join(cli.directory, "sync");
        mkdirSync(join(tree, "below"), { recursive: true });
        const bytes = randomBytes(500_000);
        writeFileSync(join(tree, "below", "big"), bytes);
        symlinkSync("below/big", join(tree, "link"));
        expect(await sync(`${tree}/`, `${HOST}:sync/`)).toMatchObject({ code: 0, stderr: "" });
        await inside("sh", "-c", "rm ~/sync/link; echo more > ~/sync/new");
        const back = await sync(`${HOST}:sync/`, `${tree}/`);
        expect(back.stdout).toMatch(/deleting +link\n[^]*new\n/);
        expect(back.stdout).not.toContain("big");
        expect(readdirSync(tree).toSorted()).toEqual(["below", "new"]);
      },
    );
  });

  describe("tells the client", () => {
    test("that there is no such sandbox, or that it is stopped and how it is started", async () => {
      await cli.run(["create", "shell", "--name", "idle"]);
      expect(await ssh.run(["none.cattlegrid", "true"])).toMatchObject({
        code: 255,
        stderr: expect.stringMatching(/There is no sandbox none\.\n.*SANDBOX_NOT_FOUND/),
      });
      expect(await ssh.run(["idle.cattlegrid", "true"])).toMatchObject({
        code: 255,
        stderr: expect.stringMatching(/cattlegrid start idle/),
      });
    });

    test("that its sandbox was stopped meanwhile, and ends what it holds open", async () => {
      await cli.run(["run", "shell", "--name", "Brief", "--", "-c", "true"]);
      const control = ["-o", `ControlPath=${join(cli.directory, "brief")}`];
      const idle = collect(ssh.spawn("ssh", [...control, "-M", "-N", "brief.cattlegrid"]));
      await expect.poll(() => existsSync(join(cli.directory, "brief")), WAIT).toBe(true);
      const command = ssh.spawn("ssh", ["brief.cattlegrid", "echo begun; sleep 1000"]);
      const result = collect(command);
      await once(command.stdout!, "data");
      await cli.run(["stop", "Brief"]);
      const { code, stderr } = await result;
      expect([code, stderr]).toEqual([137, expect.anything()]);
      expect(await idle).toMatchObject({
        code: 255,
        stderr: expect.stringContaining("The sandbox has ended."),
      });
    });

    test("nothing when the host key is another one than its server's: it refuses", async () => {
      const text = readFileSync(ssh.configuration, "utf8");
      const key =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHAqWY0uus67UxQWTOqqxzNbtV6eqA3vOS64kcDO366S";
      const forged = text.replace(/KnownHostsCommand .*/, `KnownHostsCommand /bin/echo * ${key}`);
      const { code, stderr } = await collect(
        spawn("ssh", ["-F", write("forged", forged), HOST, "true"], {
          env: { ...cli.environment, SHELL: "/bin/sh" },
        }),
      );
      expect([code, stderr]).toEqual([
        255,
        expect.stringContaining("Host key verification failed"),
      ]);
    });
  });

  describe("leaves nothing behind", () => {
    const begin = async (): Promise<ChildProcess> => {
      const child = ssh.spawn("ssh", [HOST, "trap '' TERM; echo begun; sleep 4321; sleep 4322"]);
      void collect(child);
      await once(child.stdout!, "data");
      return child;
    };
    const isGone = async (): Promise<void> => {
      const find = async (): Promise<string> => (await inside("pgrep", "-f", "sleep 432")).stdout;
      await expect.poll(find, WAIT).toBe("");
      await expect.poll(proxies, WAIT).toEqual([]);
    };

    test("inside or here, when the client is killed", async () => {
      const child = await begin();
      child.kill("SIGKILL");
      await isGone();
    });

    test("inside, when what leads there is killed", async () => {
      const child = await begin();
      for (const pid of proxies()) process.kill(pid, "SIGKILL");
      await once(child, "close");
      await isGone();
    });

    test("but what was told to outlive it", async () => {
      await ssh.run([HOST, "nohup sleep 5432 >/dev/null 2>&1 & echo"]);
      expect((await inside("pkill", "-f", "sleep 5432")).code).toBe(0);
    });

    test("in the user's home: neither a key nor a known host", async () => {
      expect(existsSync(join(cli.environment["HOME"]!, ".ssh"))).toBe(false);
    });
  });
});
