import { posix } from "node:path";
import { usage } from "../arguments.ts";

/** One side of a copy as the user writes it: a path of this machine, `NAME:PATH` in a sandbox, or `-`. */
export type CopyPlace =
  | { kind: "host"; path: string }
  | { kind: "sandbox"; name: string; path: string }
  | { kind: "stream" };

const IN_SANDBOX = /^([A-Za-z0-9][A-Za-z0-9.-]{1,62}):([^]*)$/;

/** A path of this machine that has a colon is written with a slash before it: `./a:b`. */
export function readPlace(text: string): CopyPlace {
  if (text === "-") return { kind: "stream" };
  const match = IN_SANDBOX.exec(text);
  const [, name, path] = match ?? [];
  if (name === undefined || path === undefined) return { kind: "host", path: text };
  if (path === "") throw usage("cp", `${text} names no path in the sandbox.`);
  return { kind: "sandbox", name, path };
}

export interface InsidePath {
  directory: string;
  name: string;
  /** Written with `/.` at the end: what is in the directory, without the directory. */
  isContent: boolean;
}

/** Parts a path inside into a directory to go to and a name there. */
export function splitInsidePath(path: string): InsidePath {
  const isContent = /(^|\/)\.\/*$/.test(path);
  const trimmed = path.replace(/\/+$/, "");
  const name = posix.basename(trimmed);
  if (isContent || name === "" || name === ".." || name === "~") {
    const directory = isContent ? trimmed.slice(0, -1) || "." : trimmed || "/";
    return { directory, name: ".", isContent: true };
  }
  return { directory: posix.dirname(trimmed), name, isContent: false };
}
