import type { Machine } from "../machine.ts";
import { Refusal } from "../refusal.ts";
import { collect, type Collected } from "./collecting.ts";

/** One file as the API tells of it. */
export interface FileInfo {
  name: string;
  path: string;
  isDir: boolean;
  size: number;
  mode: string;
  permissions: string;
  modTime: string;
  modifiedAt: string;
  owner: string;
  group: string;
}

const FORMAT = String.raw`%p\0%y\0%s\0%M\0%m\0%T@\0%u\0%g\0`;
const FIELDS = 8;
/** How a script here says why a file cannot be had. */
const ABSENT = 44;
const DENIED = 46;
const IS_DIRECTORY = 45;

/** Files of a machine, by programs that run in it: what they may touch is what the machine's user may. */
export class MachineFiles {
  readonly #machine: Machine;

  constructor(machine: Machine) {
    this.#machine = machine;
  }

  /** Missing directories above it are made. */
  async write(path: string, bytes: Buffer): Promise<void> {
    const script = 'mkdir -p -- "$(dirname -- "$1")" && cat >"$1"';
    await this.#script(script, [path], bytes);
  }

  async read(path: string): Promise<Buffer> {
    const script = `[ -e "$1" ] || exit ${ABSENT}; [ -d "$1" ] && exit ${IS_DIRECTORY}
      [ -r "$1" ] || exit ${DENIED}; exec cat -- "$1"`;
    return (await this.#script(script, [path])).output;
  }

  async info(path: string): Promise<FileInfo> {
    const [found] = await this.#find([path, "-maxdepth", "0"]);
    if (found === undefined) throw absent(path);
    return found;
  }

  /** What is below a directory, as deep as `depth`. */
  async list(path: string, depth: number): Promise<FileInfo[]> {
    return this.#find([path, "-mindepth", "1", "-maxdepth", String(depth)]);
  }

  /** Paths whose name matches the shell pattern. */
  async search(path: string, pattern: string): Promise<string[]> {
    return (await this.#find([path, "-name", pattern])).map((each) => each.path);
  }

  /** Lines that hold the text. */
  async grep(
    path: string,
    text: string,
  ): Promise<{ file: string; line: number; content: string }[]> {
    const argv = ["grep", "-rnIZF", "-e", text, "--", path];
    const { output } = await collect(await this.#machine.run({ argv }));
    const lines = output
      .toString()
      .split("\n")
      .filter((line) => line !== "");
    return lines.map((line) => {
      const [, file = "", number = "", content = ""] = /^([^\0]*)\0(\d+):(.*)$/s.exec(line) ?? [];
      return { file, line: Number(number), content };
    });
  }

  async makeFolder(path: string, mode: string): Promise<void> {
    await this.#script('mkdir -p -- "$1" && chmod -- "$2" "$1"', [path, mode]);
  }

  async remove(path: string, isRecursive: boolean): Promise<void> {
    const info = await this.info(path);
    if (info.isDir && !isRecursive) {
      const message = "cannot delete directory without recursive flag";
      throw new Refusal(["daemon", 400], message, { code: "BAD_REQUEST" });
    }
    await this.#script('rm -rf -- "$1"', [path]);
  }

  async move(source: string, destination: string): Promise<void> {
    await this.info(source);
    await this.#script('mv -- "$1" "$2"', [source, destination]);
  }

  async setPermissions(
    path: string,
    wanted: { mode?: string; owner?: string; group?: string },
  ): Promise<void> {
    await this.info(path);
    if (wanted.mode) await this.#script('chmod -- "$2" "$1"', [path, wanted.mode]);
    if (wanted.owner) await this.#script('chown -- "$2" "$1"', [path, wanted.owner]);
    if (wanted.group) await this.#script('chgrp -- "$2" "$1"', [path, wanted.group]);
  }

  async #find(words: readonly string[]): Promise<FileInfo[]> {
    const path = words[0] ?? "";
    const script = `[ -e "$1" ] || [ -L "$1" ] || exit ${ABSENT}; exec find "$@" -printf '${FORMAT}'`;
    const { output } = await this.#script(script, [
      path.startsWith("-") ? `./${path}` : path,
      ...words.slice(1),
    ]);
    const fields = output.toString().split("\0");
    const found: FileInfo[] = [];
    for (let at = 0; at + FIELDS <= fields.length; at += FIELDS) {
      found.push(readInfo(fields.slice(at, at + FIELDS)));
    }
    return found;
  }

  /** Runs a script with a path as `$1`. Throws the daemon's errors. */
  async #script(script: string, words: readonly string[], input?: Buffer): Promise<Collected> {
    const program = await this.#machine.run({ argv: ["sh", "-c", script, "sh", ...words] });
    program.input.on("error", () => undefined);
    program.input.end(input);
    const collected = await collect(program);
    const { code } = collected.ending;
    if (code === 0) return collected;
    throw explain(words[0] ?? "", code, collected.errors.toString());
  }
}

function explain(path: string, code: number, errors: string): Refusal {
  if (code === ABSENT || errors.includes("No such file or directory")) return absent(path);
  if (code === DENIED || errors.includes("Permission denied")) {
    const message = `permission denied: ${path}`;
    return new Refusal(["daemon", 403], message, { code: "FILE_ACCESS_DENIED" });
  }
  const message = code === IS_DIRECTORY ? `path is a directory: ${path}` : errors.trim();
  return new Refusal(["daemon", 400], message, { code: "BAD_REQUEST" });
}

function absent(path: string): Refusal {
  return new Refusal(["daemon", 404], `file not found: ${path}`, { code: "FILE_NOT_FOUND" });
}

function readInfo(fields: readonly string[]): FileInfo {
  const [
    path = "",
    type = "",
    size = "",
    mode = "",
    permissions = "",
    time = "",
    owner = "",
    group = "",
  ] = fields;
  const modifiedAt = new Date(Number(time) * 1000).toISOString();
  return {
    name: path.slice(path.lastIndexOf("/") + 1),
    path,
    isDir: type === "d",
    size: Number(size),
    mode,
    permissions: permissions.padStart(4, "0"),
    modTime: modifiedAt.replace("T", " ").replace("Z", " +0000 UTC"),
    modifiedAt,
    owner,
    group,
  };
}
