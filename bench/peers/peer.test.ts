import { tmpdir } from "node:os";
import { describe, expect, it } from "vitest";
import { typeCommand } from "./peer.ts";

const type = (script: string) => typeCommand(["sh", "-c", script], { cwd: tmpdir() });

describe("a typed command", () => {
  it("is timed to its first byte and fails afterwards when it fails later", async () => {
    const aftermath = await type("echo hi; echo broken >&2; exit 3");
    await expect(aftermath()).rejects.toThrow("sh ended with 3: broken");
  });

  it("ends well when it printed something and succeeded", async () => {
    await expect((await type("echo hi"))()).resolves.toBeUndefined();
  });

  it("fails at once without a first byte, whatever its status", async () => {
    await expect(type("exit 0")).rejects.toThrow("it printed nothing");
    await expect(type("echo gone >&2; exit 4")).rejects.toThrow("sh ended with 4: gone");
  });
});
