import { createHash } from "node:crypto";
import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  CRUN,
  openCrunContainer,
  type CrunContainer,
} from "../../../../../test/support/crun-container.ts";
import { finish, Programs } from "../../../../../test/support/programs.ts";

describe.skipIf(!CRUN.met)(CRUN.title("a program on pipes"), () => {
  let box: CrunContainer;
  let programs: Programs;
  beforeAll(async () => {
    box = await openCrunContainer();
    programs = new Programs(box);
  });
  afterAll(async () => {
    await box.close();
  });

  test("output and errors are apart, in order within each", async () => {
    const script = "for i in 1 2 3 4 5; do echo out$i; echo err$i >&2; done";
    const { output, errors } = await programs.shell(script);
    expect(output.toString()).toBe("out1\nout2\nout3\nout4\nout5\n");
    expect(errors.toString()).toBe("err1\nerr2\nerr3\nerr4\nerr5\n");
  });

  test("input reaches it, and its end is seen", async () => {
    const bytes = Buffer.alloc(3_000_000, "0123456789abcdef\n");
    const { output } = await programs.run({ argv: ["sha256sum"], inputBytes: bytes });
    const hash = createHash("sha256").update(bytes).digest("hex");
    expect(output.toString()).toBe(`${hash}  -\n`);
  });

  test("a program that ends before it read its input fails nobody", async () => {
    const process = await programs.start({ argv: ["true"] });
    process.input.end(Buffer.alloc(1_000_000));
    expect((await finish(process)).ending).toEqual({ kind: "exited", code: 0 });
  });

  test("/dev/stdin, /dev/stdout and /dev/stderr can be opened", async () => {
    const process = await programs.start({
      argv: ["sh", "-c", "cat /dev/stdin >/dev/stdout; echo problem >/dev/stderr"],
    });
    process.input.end("text");
    const { output, errors } = await finish(process);
    expect([output.toString(), errors.toString()]).toEqual(["text", "problem\n"]);
  });

  test("a signal reaches the whole group", async () => {
    const process = await programs.start({
      argv: ["bash", "-c", "trap 'echo got; exit 9' INT; echo up; sleep 7205 & wait $!"],
    });
    await once(process.output, "data");
    await process.signal("SIGINT");
    const { output, ending } = await finish(process);
    expect([output.toString(), ending]).toEqual(["got\n", { kind: "exited", code: 9 }]);
    await process.signal("SIGINT");
    await programs.shell("pkill -KILL sleep; true");
  });
});
