import { once } from "node:events";
import { closeSync, readdirSync, readlinkSync } from "node:fs";
import { Socket } from "node:net";
import { expect, test } from "vitest";
import { openPipe } from "./native/descriptor.ts";
import { spawnProcess } from "./process.ts";
import { ProcessLauncher, type LaunchDescriptor } from "./process-launcher.ts";

const ENVIRONMENT = { PATH: "/usr/bin:/bin", MARK: "grün" };

/** Runs a shell script with its output on a pipe. */
async function run(
  script: string,
  more: readonly LaunchDescriptor[] = [],
  launcher = new ProcessLauncher(),
): Promise<{ output: string; code: number | null; signal: string | null }> {
  const { readFd, writeFd } = openPipe();
  const { exited } = await launcher.launch(["sh", "-c", script], {
    descriptors: ["null", writeFd, "null", ...more],
    environment: ENVIRONMENT,
    ownSession: true,
  });
  closeSync(writeFd);
  const chunks: Buffer[] = [];
  const socket = new Socket({ fd: readFd, readable: true, writable: false });
  socket.on("data", (bytes: Buffer) => chunks.push(bytes));
  const [exit] = await Promise.all([exited, once(socket, "close")]);
  return { ...exit, output: Buffer.concat(chunks).toString("utf8").trim() };
}

test("a program has the environment, directory and session it was given", async () => {
  const { output, code } = await run('echo "$MARK $PWD $(env | wc -l)"; ps -o sid= -p $$; echo $$');
  const [line, session, pid] = output.split("\n").map((each) => each.trim());
  // The shell itself sets PWD and one or two more.
  expect(line).toMatch(/^grün \/ [3-6]$/);
  expect(session).toBe(pid);
  expect(code).toBe(0);
});

test("a program's exit status and the signal that ended it are told", async () => {
  expect(await run("exit 7")).toMatchObject({ code: 7, signal: null });
  expect(await run("kill -TERM $$")).toMatchObject({ code: null, signal: "SIGTERM" });
});

test("many programs at once are each told of their own end, beside those that Node starts", async () => {
  const launcher = new ProcessLauncher();
  const node = once(spawnProcess(["sh", "-c", "exit 5"], { stdio: "ignore" }), "exit");
  const runs = Array.from({ length: 40 }, (_, index) => run(`exit ${index}`, [], launcher));
  expect((await Promise.all(runs)).map(({ code }) => code)).toEqual([...runs.keys()]);
  expect(await node).toEqual([5, null]);
  expect(process.listenerCount("SIGCHLD")).toBe(0);
});

test("a program inherits the given descriptors and no other one, blocked or ignored signal", async () => {
  const open = openPipe();
  const script = "ls /proc/self/fd; grep -E 'SigBlk|SigIgn' /proc/self/status | cut -f2";
  const { output } = await run(script, [open.writeFd]);
  for (const fd of [open.readFd, open.writeFd]) closeSync(fd);
  // 4 is the directory that `ls` reads.
  expect(output.split("\n")).toEqual([
    "0",
    "1",
    "2",
    "3",
    "4",
    "0000000000000000",
    "0000000000000000",
  ]);
});

test("descriptors below the number of targets arrive where they belong", async () => {
  const pipes = Array.from({ length: 4 }, () => openPipe());
  const wanted = pipes.map(({ writeFd }) => writeFd).toReversed();
  const script = "for fd in 3 4 5 6; do readlink /proc/self/fd/$fd; done";
  const { output } = await run(script, [...wanted, 2, 1, 0]);
  const expected = wanted.map((fd) => readlinkSync(`/proc/self/fd/${fd}`));
  for (const { readFd, writeFd } of pipes) [readFd, writeFd].forEach((fd) => closeSync(fd));
  expect(output.split("\n")).toEqual(expected);
});

test("a channel carries bytes both ways and closes with the program", async () => {
  const { exited, channels } = await new ProcessLauncher().launch(["cat"], {
    descriptors: ["channel", "channel", "null"],
    environment: ENVIRONMENT,
  });
  const [input, output] = [channels.get(0)!, channels.get(1)!];
  input.end("through");
  const [bytes] = (await once(output, "data")) as [Buffer];
  expect(bytes.toString()).toBe("through");
  await once(output, "close");
  expect((await exited).code).toBe(0);
});

test("a program that is not there is refused, and nothing stays open", async () => {
  const before = countDescriptors();
  const launch = new ProcessLauncher().launch(["/no/such/program"], {
    descriptors: ["null", "null", "channel"],
    environment: ENVIRONMENT,
  });
  await expect(launch).rejects.toThrow(/ENOENT/);
  expect(countDescriptors()).toBe(before);
  expect(process.listenerCount("SIGCHLD")).toBe(0);
});

function countDescriptors(): number {
  return readdirSync("/proc/self/fd").length;
}
