import { createHash } from "node:crypto";
import { readTar } from "../../platform/tar/tar-reader.ts";
import { endEntry, endTar, writeHeader } from "../../platform/tar/tar-writer.ts";
import type { FakeProgram, FakeRun } from "./program.ts";

/** `find` and `tar`, as far as a copied workspace is filled and read by them. The fake has files alone, with one mode. */
export const ARCHIVE_PROGRAMS: Readonly<Record<string, FakeProgram>> = { find, tar };

const MODE = 0o644;

/** Lists everything below the directory, or deletes it; what is told of a file changes with its content. */
function find({ argv, files, output, directory }: FakeRun): number {
  const paths = listBelow(files, directory);
  if (argv.includes("-delete")) {
    for (const path of paths) files.remove(`${directory}/${path}`);
  } else if (argv.includes("-printf")) {
    for (const path of paths) output.write(describe(path, files.read(`${directory}/${path}`)));
  } else {
    for (const path of paths) output.write(`./${path}\n`);
  }
  return 0;
}

async function tar(run: FakeRun): Promise<number> {
  return run.argv.some((word) => word.startsWith("-x")) ? unpack(run) : pack(run);
}

async function unpack({ files, input, directory }: FakeRun): Promise<number> {
  for await (const { entry, content } of readTar(input)) {
    const parts: Buffer[] = [];
    for await (const part of content) parts.push(Buffer.from(part));
    if (entry.type !== "file") continue;
    files.write(`${directory}/${decode(entry.name)}`, Buffer.concat(parts));
  }
  return 0;
}

/** The files that standard input names, each with a NUL behind it. */
async function pack({ files, input, output, directory }: FakeRun): Promise<number> {
  const chunks: Buffer[] = [];
  for await (const chunk of input) chunks.push(chunk as Buffer);
  for (const path of Buffer.concat(chunks).toString("utf8").split("\0")) {
    const content = path === "" ? undefined : files.read(`${directory}/${path}`);
    if (content === undefined) continue;
    const name = Buffer.from(path).toString("latin1");
    const sizeBytes = content.length;
    const header = { name, mode: MODE, sizeBytes, modifiedSeconds: 0, target: "" };
    output.write(writeHeader({ ...header, type: "file" }));
    output.write(content);
    output.write(endEntry(sizeBytes));
  }
  output.write(endTar());
  return 0;
}

function listBelow(files: FakeRun["files"], directory: string): readonly string[] {
  return (files.list(directory) ?? []).flatMap((name) => {
    const path = `${directory}/${name}`;
    if (files.read(path) !== undefined) return [name];
    return listBelow(files, path).map((below) => `${name}/${below}`);
  });
}

function describe(path: string, content: Buffer = Buffer.alloc(0)): string {
  const stamp = createHash("sha256").update(content).digest().readUIntBE(0, 6);
  return `f ${MODE.toString(8)} ${content.length} ${stamp} \0${path}\0`;
}

function decode(name: string): string {
  return Buffer.from(name, "latin1").toString("utf8");
}
