import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { rewriteUserFile, toByteText } from "./user-file.ts";

let directory: string;
let file: string;
const codeOf = (action: () => unknown): unknown => {
  try {
    return action();
  } catch (error) {
    return (error as { code?: unknown }).code;
  }
};

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "cg-user-file-"));
  file = join(directory, "config");
});
afterEach(() => rmSync(directory, { recursive: true }));

describe("a file of the user's", () => {
  test("is made, for its owner alone, with the directory it needs", () => {
    const path = join(directory, "new", "config");
    expect(rewriteUserFile(path, () => "text")).toBe(true);
    expect(readFileSync(path, "utf8")).toBe("text");
    expect([statSync(path).mode & 0o777, statSync(join(path, "..")).mode & 0o777]).toEqual([
      0o600, 0o700,
    ]);
  });

  test("keeps its mode and every byte that is not meant", () => {
    const bytes = Buffer.from([0xff, 0x00, 0x80, 0x0a]);
    writeFileSync(file, bytes);
    rewriteUserFile(file, (text) => toByteText("é\n") + text);
    expect(readFileSync(file)).toEqual(Buffer.concat([Buffer.from("é\n"), bytes]));
    expect(statSync(file).mode & 0o777).toBe(0o644);
    expect(readdirSync(directory)).toEqual(["config"]);
  });

  test("is not touched when there is nothing to change", () => {
    writeFileSync(file, "text");
    const before = statSync(file);
    expect(rewriteUserFile(file, (text) => text)).toBe(false);
    expect(statSync(file).ino).toBe(before.ino);
    expect(rewriteUserFile(join(directory, "absent"), (text) => text)).toBe(false);
    expect(existsSync(join(directory, "absent"))).toBe(false);
  });

  test("is changed where a link leads to, and the link stays", () => {
    mkdirSync(join(directory, "dotfiles"));
    writeFileSync(join(directory, "dotfiles", "config"), "old");
    symlinkSync("dotfiles/config", file);
    rewriteUserFile(file, () => "new");
    expect(lstatSync(file).isSymbolicLink()).toBe(true);
    expect(readFileSync(join(directory, "dotfiles", "config"), "utf8")).toBe("new");
  });

  test("keeps what somebody else writes meanwhile", () => {
    writeFileSync(file, "old");
    const change = (): string => {
      writeFileSync(file, "theirs");
      return "ours";
    };
    expect(codeOf(() => rewriteUserFile(file, change))).toBe("CONFIG_INVALID");
    expect([readFileSync(file, "utf8"), readdirSync(directory)]).toEqual(["theirs", ["config"]]);
  });

  test("is refused when it is no file, or a link that leads nowhere", () => {
    symlinkSync("nowhere", file);
    expect(codeOf(() => rewriteUserFile(file, () => "text"))).toBe("CONFIG_INVALID");
    expect(codeOf(() => rewriteUserFile(directory, () => "text"))).toBe("CONFIG_INVALID");
  });
});
