import { createWriteStream, type WriteStream } from "node:fs";
import { mkdir, readdir, rm } from "node:fs/promises";
import { finished } from "node:stream/promises";
import { join } from "node:path";

/** A build that writes without end must not fill the disk that holds everything else. */
const BYTES_MAX = 64 * 1024 * 1024;
const LOGS_KEPT_MAX = 50;

/** Everything that the steps of one build wrote. It is kept, however the build ends. */
export interface BuildLog {
  readonly path: string;
  /** Of our own. */
  say(text: string): void;
  write(bytes: Uint8Array): void;
  /** Idempotent; never rejects. */
  close(): Promise<void>;
}

/** Begins a log in `directory`, of which the newest are kept. SECURITY: 0600, as a step may print what it got. */
export async function openBuildLog(directory: string, template: string): Promise<BuildLog> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const old = (await readdir(directory)).filter((name) => name.endsWith(".log")).toSorted();
  for (const name of old.slice(0, Math.max(0, old.length + 1 - LOGS_KEPT_MAX))) {
    await rm(join(directory, name), { force: true });
  }
  const time = new Date().toISOString().replaceAll(/[-:]|\.\d+/g, "");
  const unique = Math.random().toString(36).slice(2, 8);
  const path = join(directory, `${time}-${template}-${unique}.log`);
  const file = createWriteStream(path, { flags: "wx", mode: 0o600 });
  return new FileLog(path, file);
}

class FileLog implements BuildLog {
  readonly path: string;
  readonly #file: WriteStream;
  #bytes = 0;
  #closing: Promise<void> | undefined;

  constructor(path: string, file: WriteStream) {
    this.path = path;
    this.#file = file;
    // A disk that is full has room for no log either; the build says so by itself.
    file.on("error", () => file.destroy());
  }

  say(text: string): void {
    if (!this.#file.destroyed) this.#file.write(`== ${text}\n`);
  }

  write(bytes: Uint8Array): void {
    if (this.#file.destroyed || this.#bytes > BYTES_MAX) return;
    this.#bytes += bytes.length;
    this.#file.write(bytes);
    if (this.#bytes > BYTES_MAX) this.say(`more than ${BYTES_MAX} bytes: the rest is left out`);
  }

  close(): Promise<void> {
    this.#file.end();
    this.#closing ??= Promise.allSettled([finished(this.#file)]).then(() => undefined);
    return this.#closing;
  }
}
