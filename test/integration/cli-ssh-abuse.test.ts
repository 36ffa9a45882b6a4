import { once } from "node:events";
import { randomBytes } from "node:crypto";
import { Duplex } from "node:stream";
import { Client } from "ssh2";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { collect, CommandLine, type CommandResult } from "../support/command-line.ts";
import { program } from "../support/requirement.ts";

const crun = program("crun");
const WAIT = { timeout: 20_000, interval: 100 };

/** The client's way to the server, on which one bit is wrong. */
class BadWire extends Duplex {
  readonly #input: NodeJS.WritableStream;
  readonly #wrongAt: number;
  #passed = 0;

  constructor(ends: { input: NodeJS.WritableStream; output: NodeJS.ReadableStream }, at: number) {
    super();
    this.#input = ends.input;
    this.#wrongAt = at;
    ends.output.on("data", (bytes: Buffer) => this.push(bytes));
    ends.output.on("end", () => this.push(null));
  }

  override _read(): void {
    // What comes is pushed as it comes.
  }

  override _write(bytes: Buffer, _encoding: string, done: () => void): void {
    const sent = Buffer.from(bytes);
    const at = this.#wrongAt - this.#passed;
    if (at >= 0 && at < sent.length) sent[at] = (sent[at] ?? 0) ^ 1;
    this.#passed += sent.length;
    this.#input.write(sent);
    done();
  }
}

describe.skipIf(!crun.met)(crun.title("an SSH client that keeps to no rule"), () => {
  let cli: CommandLine;

  const sleepers = async (): Promise<string> =>
    (await cli.run(["exec", "box", "--", "pgrep", "-f", "sleep 765"])).stdout;
  /** Its input stays open: the server ends by itself. */
  const speak = async (bytes: string | Uint8Array): Promise<CommandResult> => {
    const child = cli.spawn(["ssh-proxy", "box"]);
    child.stdin?.on("error", () => undefined);
    child.stdin?.write(bytes);
    return collect(child);
  };

  beforeAll(async () => {
    cli = new CommandLine();
    await cli.run(["run", "shell", "--name", "box", "--", "-c", "true"]);
  });
  afterAll(() => cli.close());

  const greeting = Buffer.from("SSH-2.0-x\r\n");
  test.each<[string, Uint8Array, RegExp]>([
    ["noise", randomBytes(100_000), /is not SSH/],
    ["another protocol", Buffer.from("GET / HTTP/1.1\r\n\r\n"), /is not SSH/],
    ["a greeting without an end", Buffer.from(`SSH-2.0-${"x".repeat(100_000)}`), /is not SSH/],
    ["a version of before", Buffer.from("SSH-1.5-x\r\n"), /is not SSH/],
    ["an endless packet", Buffer.concat([greeting, Buffer.alloc(64, 0x7f)]), /connection failed/],
    ["empty packets", Buffer.concat([greeting, Buffer.alloc(5000)]), /connection failed/],
    ["noise as packets", Buffer.concat([greeting, randomBytes(5000)]), /connection failed/],
  ])("is told so and let go: %s", async (_title, bytes, expected) => {
    const { code, stderr } = await speak(bytes);
    expect([code, stderr]).toEqual([255, expect.stringMatching(expected)]);
  });

  test.each([30, 600, 1300, 1700, 2100, 4000])(
    "is let go when bit %i of the connection is wrong, and nothing runs on",
    async (at) => {
      const child = cli.spawn(["ssh-proxy", "box"]);
      child.stdin?.on("error", () => undefined);
      const ended = collect(child);
      const client = new Client();
      client.on("error", () => undefined);
      client.on("ready", () => {
        client.exec("sleep 765", (error, channel) => {
          if (error !== undefined) return;
          for (let sent = 0; sent < 8; sent++) channel.write(Buffer.alloc(1000));
        });
      });
      const sock = new BadWire({ input: child.stdin!, output: child.stdout! }, at);
      client.connect({ sock, username: "agent" });
      expect((await ended).code).toBe(255);
      await expect.poll(sleepers, WAIT).toBe("");
    },
  );

  test("harms no other client, which the same wire serves when it is right", async () => {
    const child = cli.spawn(["ssh-proxy", "box"]);
    const ended = collect(child);
    const client = new Client();
    const ready = once(client, "ready");
    const sock = new BadWire({ input: child.stdin!, output: child.stdout! }, -1);
    client.connect({ sock, username: "agent" });
    await ready;
    await speak(randomBytes(1000));
    const status = await new Promise((resolve, reject) => {
      client.exec("cat >/dev/null; exit 3", (error, channel) => {
        if (error !== undefined) return reject(error);
        channel.on("exit", resolve);
        channel.resume().end(Buffer.alloc(8000));
      });
    });
    client.end();
    child.stdin?.end();
    expect([status, (await ended).code]).toEqual([3, 0]);
  });
});
