import { assert, CattlegridError } from "../../../../errors/error.ts";
import { endEntry, endTar, writeHeader } from "../../../../platform/tar/tar-writer.ts";
import { readTar } from "../../../../platform/tar/tar-reader.ts";
import type { EngineClient } from "../engine/engine-client.ts";
import type { ImageFacts, Labels } from "../engine/engine.ts";
import { explainRefusal } from "../engine/engine-failure.ts";

/** Of a file that is read into memory. */
const FILE_BYTES_MAX = 256 * 1024;

/** A file for a container; its directories are made where they are not there. */
export interface ContainerFile {
  /** Absolute. */
  path: string;
  content: Buffer;
}

/** The engine's images, and the files of containers that become images or came of them. */
export class Images {
  readonly #client: EngineClient;

  constructor(client: EngineClient) {
    this.#client = client;
  }

  /** Undefined for one that the engine does not have. Never pulls. */
  async find(name: string, signal: AbortSignal): Promise<ImageFacts | undefined> {
    try {
      const path = `/images/${encodeURIComponent(name)}/json`;
      return (await this.#client.call("GET", path, { signal })) as ImageFacts;
    } catch (error) {
      if (CattlegridError.is(error, "IMAGE_MISSING")) return undefined;
      throw error;
    }
  }

  /** Makes an image of a root file system. */
  async import(
    archive: AsyncIterable<Uint8Array>,
    { name, signal }: { name: string; signal: AbortSignal },
  ): Promise<void> {
    const [repo = "", tag = ""] = name.split(":");
    const path = `/images/create?fromSrc=-&repo=${repo}&tag=${tag}`;
    checkProgress(await this.#client.ask("POST", path, { archive, signal }));
  }

  /** Takes images as `docker save` writes them, with their names. */
  async load(archive: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void> {
    checkProgress(await this.#client.ask("POST", "/images/load?quiet=1", { archive, signal }));
  }

  /** Makes an image of a container that does not run; resolves with its id. */
  async commit(
    containerId: string,
    { name, labels }: { name: string; labels: Labels },
  ): Promise<string> {
    const [repo = "", tag = ""] = name.split(":");
    const path = `/commit?container=${containerId}&repo=${repo}&tag=${tag}&pause=0`;
    const made = await this.#client.call("POST", path, { body: { Labels: labels } });
    return (made as { Id: string }).Id;
  }

  async tag(image: string, name: string): Promise<void> {
    const [repo = "", tag = ""] = name.split(":");
    const path = `/images/${encodeURIComponent(image)}/tag?repo=${repo}&tag=${tag}`;
    await this.#client.call("POST", path);
  }

  /** Takes the name away, and with the last name of an image the image. Absent is success. */
  async remove(name: string): Promise<void> {
    const path = `/images/${encodeURIComponent(name)}`;
    await this.#client.call("DELETE", path, { alsoDone: [404] });
  }

  /** What there is of a repository, by name. */
  async list(repository: string): Promise<readonly string[]> {
    const filters = encodeURIComponent(JSON.stringify({ reference: [repository] }));
    const found = await this.#client.call("GET", `/images/json?filters=${filters}`);
    return (found as { RepoTags: string[] | null }[])
      .flatMap(({ RepoTags }) => RepoTags ?? [])
      .filter((name) => name.startsWith(`${repository}:`));
  }

  /** The text of a file of a container; undefined for what is no file, or a large one. No link is followed. */
  async read(containerId: string, path: string, signal: AbortSignal): Promise<string | undefined> {
    const from = `/containers/${containerId}/archive?path=${encodeURIComponent(path)}`;
    const archive = await this.#client.download(from, signal);
    if (archive === undefined) return undefined;
    let text: string | undefined;
    for await (const { entry, content } of readTar(archive)) {
      if (entry.type !== "file" || entry.sizeBytes > FILE_BYTES_MAX) continue;
      text = Buffer.concat(await Array.fromAsync(content)).toString("utf8");
    }
    return text;
  }

  /** Whether a container has anything at a path. */
  async has(containerId: string, path: string, signal: AbortSignal): Promise<boolean> {
    const from = `/containers/${containerId}/archive?path=${encodeURIComponent(path)}`;
    const archive = await this.#client.download(from, signal);
    if (archive === undefined) return false;
    for await (const entry of readTar(archive)) if (entry !== undefined) return true;
    return false;
  }

  /** Writes files into a container that does not run yet. */
  async write(containerId: string, files: readonly ContainerFile[]): Promise<void> {
    const path = `/containers/${containerId}/archive?path=${encodeURIComponent("/")}`;
    await this.#client.call("PUT", path, { archive: archiveOf(files) });
  }
}

async function* archiveOf(files: readonly ContainerFile[]): AsyncGenerator<Buffer> {
  const modifiedSeconds = Math.floor(Date.now() / 1000);
  const parents = new Set(files.flatMap(({ path }) => parentsOf(path)));
  const of = { target: "", modifiedSeconds };
  for (const name of parents) {
    yield writeHeader({ ...of, name: `${name}/`, type: "directory", mode: 0o755, sizeBytes: 0 });
  }
  for (const { path, content } of files) {
    assert(path.startsWith("/"), "a file of a container without its path");
    const name = path.slice(1);
    yield writeHeader({ ...of, name, type: "file", mode: 0o644, sizeBytes: content.length });
    yield content;
    yield endEntry(content.length);
  }
  yield endTar();
}

/** Shorter ones first. */
function parentsOf(path: string): readonly string[] {
  const words = path.slice(1).split("/").slice(0, -1);
  return words.map((_, index) => words.slice(0, index + 1).join("/"));
}

/** The engine tells of a failure in what it says meanwhile, after it has said that all is well. */
function checkProgress(text: string): void {
  const failed = text
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => JSON.parse(line) as { error?: string })
    .find(({ error }) => error !== undefined);
  if (failed?.error !== undefined) throw explainRefusal({ status: 500, message: failed.error });
}
