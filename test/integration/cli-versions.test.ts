import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { dirname } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { API_VERSION, API_VERSION_HEADER } from "../../src/protocol/version.ts";
import { CommandLine, type CommandResult } from "../support/command-line.ts";

const SANDBOX = {
  id: "0",
  name: "box",
  agent: "shell",
  provider: "local",
  status: "running",
  sessions: [],
  workspace: null,
};
const REFUSED = {
  type: "about:blank",
  title: "The request is not valid",
  status: 400,
  code: "REQUEST_INVALID",
  detail: "record: unknown field",
  hint: "See the API's description.",
  fault: "client",
};

/** A simulated daemon of another version: one list, and every request with a body refused as it would refuse a field. */
class OtherDaemon {
  readonly asked: string[] = [];
  readonly #server: Server;
  readonly #list: object;

  constructor(version: string, list: object) {
    this.#list = list;
    this.#server = createServer((request, answer) => {
      this.asked.push(`${request.method} ${request.url}`);
      const isRefused = hasBody(request);
      answer.writeHead(isRefused ? 400 : 200, {
        [API_VERSION_HEADER]: version,
        "content-type": isRefused ? "application/problem+json" : "application/json",
      });
      answer.end(JSON.stringify(isRefused ? REFUSED : this.#list));
    });
  }

  async listen(cli: CommandLine): Promise<void> {
    const { socketFile, daemonFile } = cli.paths;
    mkdirSync(dirname(socketFile), { recursive: true, mode: 0o700 });
    mkdirSync(dirname(daemonFile), { recursive: true, mode: 0o700 });
    await new Promise<void>((resolve) => this.#server.listen(socketFile, resolve));
    writeFileSync(daemonFile, JSON.stringify({ pid: process.pid, socket: socketFile }));
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers["content-length"] !== undefined && headers["content-length"] !== "0";
}

describe("the command line and a daemon of another version", () => {
  let cli: CommandLine;
  let daemon: OtherDaemon;

  beforeEach(() => {
    cli = new CommandLine();
  });
  afterEach(async () => {
    await daemon.close();
    // It is no state of the product's own, which `reset` would have to leave alone.
    rmSync(cli.paths.stateDirectory, { recursive: true });
    await cli.close();
  });

  const meet = async (version: string, list: object): Promise<void> => {
    daemon = new OtherDaemon(version, list);
    await daemon.listen(cli);
  };
  const codeOf = ({ code, stderr }: CommandResult): unknown[] => [
    code,
    /code: (\S+)/.exec(stderr)?.[1],
  ];

  test("reads an older daemon's answers, and names both versions of what that refuses", async () => {
    await meet(`${API_VERSION.major}.0`, { sandboxes: [SANDBOX] });
    const listed = await cli.run(["ls"]);
    expect(listed).toMatchObject({ code: 0, stderr: "" });
    expect(listed.stdout).toMatch(/^box +shell +local +running/m);
    const refused = await cli.run(["exec", "--record", "box", "--", "true"]);
    expect(codeOf(refused)).toEqual([125, "REQUEST_INVALID"]);
    expect(refused.stderr).toContain(
      `record: unknown field (the daemon speaks API 1.0, this program 1.${API_VERSION.minor})`,
    );
    expect(refused.stderr).toContain("cattlegrid daemon stop");
  });

  test("takes from a newer daemon what it knows, and passes over the rest", async () => {
    const extra = { sandboxes: [{ ...SANDBOX, hovering: true, status: "running" }], more: {} };
    await meet(`${API_VERSION.major}.${API_VERSION.minor + 7}`, extra);
    const listed = await cli.run(["ls"]);
    expect(listed).toMatchObject({ code: 0, stderr: "" });
    expect(listed.stdout).toMatch(/^box +shell +local +running/m);
  });

  test("asks nothing more of a daemon of another major version, and says which speaks what", async () => {
    await meet(`${API_VERSION.major + 1}.0`, { sandboxes: [SANDBOX] });
    const refused = await cli.run(["ls"]);
    expect(codeOf(refused)).toEqual([125, "DAEMON_VERSION_MISMATCH"]);
    expect(refused.stdout).toBe("");
    expect(refused.stderr).toContain(
      `The daemon speaks version ${API_VERSION.major + 1}.0 of the API, this program version ${API_VERSION.major}`,
    );
    expect(daemon.asked).toEqual(["GET /v1/sandboxes"]);
  });
});
