import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { collect, CommandLine } from "../support/command-line.ts";
import { program } from "../support/requirement.ts";

const canIsolate = program("crun");

describe.skipIf(!canIsolate.met)(canIsolate.title("a command line that is killed"), () => {
  let cli: CommandLine;

  beforeAll(async () => {
    cli = new CommandLine();
    await cli.run(["run", "shell", "--name", "box", "--", "-c", "true"]);
  });
  afterAll(() => cli.close());

  test("in `exec` takes its command along, and nothing else inside", async () => {
    const inside = async (): Promise<string> =>
      (
        await cli.run([
          "exec",
          "box",
          "--",
          "sh",
          "-c",
          "ps -eo args | grep -x 'sleep 5[45]32' | sort",
        ])
      ).stdout;
    const child = cli.spawn(["exec", "box", "--", "sh", "-c", "echo up; sleep 5432; true"]);
    const other = cli.spawn(["exec", "box", "--", "sh", "-c", "echo up; exec sleep 5532"]);
    await Promise.all([once(child.stdout!, "data"), once(other.stdout!, "data")]);
    expect(await inside()).toBe("sleep 5432\nsleep 5532\n");
    child.kill("SIGKILL");
    await expect.poll(inside, { timeout: 20_000 }).toBe("sleep 5532\n");
    other.kill("SIGTERM");
    expect((await collect(other)).code).toBe(143);
  });
});
