import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { checkDiskSpace } from "./disk.ts";

test("disk space is checked where a directory is going to be", async () => {
  const path = join(tmpdir(), "absent/below");
  await checkDiskSpace(path, 1);
  await expect(checkDiskSpace(path, 2 ** 60)).rejects.toMatchObject({ code: "DISK_FULL" });
});
