import { describe, expect, test } from "vitest";
import { CRUN, openCrunContainer } from "../../../../../test/support/crun-container.ts";
import { Programs } from "../../../../../test/support/programs.ts";
import { SeccompProgram } from "./seccomp-program.ts";

const SCRIPT =
  "unshare --user true; unshare --mount true; grep -h ^Seccomp: /proc/1/status /proc/self/status";
const REFUSED = "unshare: unshare failed: Operation not permitted\n";

describe.skipIf(!CRUN.met)(CRUN.title("the compiled filter"), () => {
  test("of the first container holds in the next ones, for their first process and every other", async () => {
    const program = new SeccompProgram();
    expect(program.configuration().annotations).toEqual({});
    for (const round of ["compiled", "kept", "kept again"]) {
      const box = await openCrunContainer(program);
      try {
        const { output, errors } = await new Programs(box).shell(SCRIPT);
        expect([round, output.toString(), errors.toString()]).toEqual([
          round,
          "Seccomp:\t2\nSeccomp:\t2\n",
          REFUSED + REFUSED,
        ]);
        program.keep(box.target.stateRoot, box.target.containerId);
      } finally {
        await box.close();
      }
      const [kept = ""] = Object.values(program.configuration().annotations);
      expect(Buffer.from(kept, "base64").length).toBeGreaterThan(1000);
    }
  });

  test("is not kept from a runtime that leaves none", () => {
    const program = new SeccompProgram();
    program.keep("/no/such/directory", "box");
    expect(program.configuration().annotations).toEqual({});
  });
});
