/** The relay's own program beside a network of its own, without any provider around it. */
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { mkdtempDisposableSync } from "node:fs";
import { tmpdir } from "node:os";
import { describe, expect, test } from "vitest";
import { createCertificates } from "../../simulator/cloud/certificate.ts";
import { assert } from "../../src/errors/error.ts";
import { runProcess, spawnProcess } from "../../src/platform/process.ts";
import { RelayLink } from "../../src/sandbox/capture/relay/link.ts";
import { relayCommand } from "../../src/sandbox/capture/relay/program.ts";
import { allOf, program, root } from "../support/requirement.ts";

const RELAY = allOf(root(), program("perl"), program("unshare"), program("nsenter"));
const NAME = "inside.example";

describe.skipIf(!RELAY.met)(RELAY.title("a relay's program"), () => {
  test("carries TLS that is opened at the engine, says where it was meant for, and ends with its input", async () => {
    using directory = mkdtempDisposableSync(join(tmpdir(), "cg-relay-"));
    const { authority, certificate, privateKey } = createCertificates([NAME]);
    const trusted = join(directory.path, "authority.pem");
    writeFileSync(trusted, authority);
    const relay = spawnProcess(["unshare", "--net", ...relayCommand()], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    const { stdin, stdout, pid } = relay;
    assert(stdin !== null && stdout !== null, "no streams");
    const link = new RelayLink((bytes) => void stdin.write(bytes));
    stdout.on("data", (bytes: Buffer) => link.take(bytes));
    await link.prepare();
    const meant: unknown[] = [];
    link.sockets.tcp.on("connection", (socket: Socket) => {
      meant.push(link.sockets.originalDestination?.(socket));
      const secured = new TLSSocket(socket, { isServer: true, cert: certificate, key: privateKey });
      secured.once("data", () => secured.end("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"));
    });
    const inside = ["nsenter", `--net=/proc/${pid}/ns/net`, "curl", "-sS", "--cacert", trusted];
    for (const address of ["203.0.113.7", "[2001:db8::7]"]) {
      const resolve = ["--resolve", `${NAME}:8443:${address}`, `https://${NAME}:8443/`];
      const { stdout: page } = await runProcess([...inside, ...resolve]);
      expect(page).toBe("hello");
    }
    expect(meant).toEqual([
      { address: "203.0.113.7", port: 8443 },
      { address: "2001:db8:0:0:0:0:0:7", port: 8443 },
    ]);
    const ended = once(relay, "exit");
    stdin.end();
    expect(await ended).toEqual([0, null]);
  });
});
