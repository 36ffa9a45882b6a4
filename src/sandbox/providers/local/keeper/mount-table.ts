import { readFileSync } from "node:fs";

export interface MountPoint {
  path: string;
  readonly: boolean;
}

/** What is mounted at or below `path`, parents first, in the caller's mount namespace. */
export function mountsBelow(path: string): readonly MountPoint[] {
  return parseMountTable(readFileSync("/proc/self/mountinfo", "utf8")).filter(
    (mount) => mount.path === path || mount.path.startsWith(`${path}/`),
  );
}

export function parseMountTable(text: string): readonly MountPoint[] {
  return text.split("\n").flatMap((line) => {
    const [, , , , path, options] = line.split(" ");
    if (path === undefined || options === undefined) return [];
    return [{ path: unescape(path), readonly: options.split(",").includes("ro") }];
  });
}

/** Spaces, tabs, newlines and backslashes are written as three octal digits. */
function unescape(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCodePoint(Number.parseInt(digits, 8)),
  );
}
