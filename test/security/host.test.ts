/** Groups E and F: device nodes, which a sandbox shares with the host by necessity and must leave as they are. */
import { statSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RunningSandbox } from "../../src/sandbox/provider.ts";
import { createLocalProvider } from "../../src/sandbox/providers/local/provider.ts";
import {
  answer,
  run,
  SandboxYard,
  succeeding,
} from "../../src/testing/conformance/sandbox-yard.ts";
import { allOf, program } from "../support/requirement.ts";

const needed = allOf(program("crun"), program("unshare"), program("nsenter"));
const DEVICES = ["null", "zero", "full", "tty", "random", "urandom"].map((name) => `/dev/${name}`);

describe.skipIf(!needed.met)(needed.title("the host's devices"), () => {
  let yard: SandboxYard;
  let sandbox: RunningSandbox;
  const owners = (): unknown =>
    DEVICES.map((path) => [path, statSync(path).uid, statSync(path).mode]);
  let before: unknown;
  beforeAll(async () => {
    before = owners();
    yard = new SandboxYard(createLocalProvider);
    sandbox = await yard.start();
  });
  afterAll(async () => yard.close());

  test("stay the host's own, whatever is started with and without a terminal", async () => {
    expect(await answer(sandbox, "echo x >/dev/null && head -c4 /dev/zero | wc -c")).toBe("4");
    await run(sandbox, ["true"], { terminal: { columns: 80, rows: 24 } });
    expect(owners()).toEqual(before);
  });

  test("are not the agent's to close to other users", async () => {
    // The mode they have already: no harm where this succeeds.
    const standard = [0, 1, 2].map((each) => `/proc/1/fd/${each}`);
    const attacks = DEVICES.flatMap((path) => [
      `chmod 666 ${path}`,
      `rm -f ${path}; test ! -e ${path}`,
    ]);
    expect(await succeeding(sandbox, attacks)).toEqual([]);
    expect(await answer(sandbox, `stat -Lc %F ${standard.join(" ")} | sort -u`)).toBe("fifo");
    expect(owners()).toEqual(before);
  });
});
