import { describe, expect, test } from "vitest";
import { CattlegridError } from "../../../errors/error.ts";
import { explainOverlay } from "./refusal.ts";

describe("a start that failed at the overlay of the workspace", () => {
  /** As crun 1.8 says it. */
  const refused = new CattlegridError(
    "SANDBOX_START_FAILED",
    "The sandbox cannot start: mount `overlay` to `srv/project`: Invalid argument",
  );

  test("is a file system that does not suit, with the other modes as the remedy", () => {
    const explained = explainOverlay(refused, "/srv/project");
    expect(explained).toMatchObject({ code: "FILE_SYSTEM_UNSUITABLE", cause: refused });
    expect((explained as CattlegridError).hint).toContain("--mode direct");
  });

  test("is told apart from every other failure", () => {
    expect(explainOverlay(refused, "/srv/other")).toBe(refused);
    const other = new CattlegridError("SANDBOX_BUSY", "mount `overlay` to `srv/project`");
    expect(explainOverlay(other, "/srv/project")).toBe(other);
  });
});
