import { createSocket, type Socket as DatagramSocket } from "node:dgram";
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openNftables } from "../../src/platform/native/nftables.ts";
import { runProcess, type CompletedProcess } from "../../src/platform/process.ts";
import type { CaptureSockets } from "../../src/sandbox/capture/capture-sockets.ts";
import { openNetworkNamespace } from "../../src/sandbox/capture/network.ts";
import { allOf, program, requirement, root } from "./requirement.ts";

export const CAPTURE_NAMESPACE = allOf(
  root(),
  program("nsenter"),
  program("unshare"),
  requirement("libnftables", () => {
    try {
      openNftables();
      return undefined;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }),
);

/** A network namespace as the local provider makes it, with nothing else of a sandbox around it. */
export interface CaptureNamespace {
  readonly sockets: CaptureSockets;
  /** Runs a program of the host inside. Its resolver is `nameserver`; default 10.9.8.7. */
  run(argv: readonly string[], options?: RunInside): Promise<CompletedProcess>;
  close(): void;
}

export interface RunInside {
  nameserver?: string;
  environment?: Record<string, string>;
}

export function openCaptureNamespace(): CaptureNamespace {
  const directory = mkdtempSync(join(tmpdir(), "cattlegrid-capture-"));
  const homeFd = openSync("/proc/thread-self/ns/net", "r");
  const { fd, tcpFd, udp4Fd, udp6Fd } = openNetworkNamespace(openNftables(), homeFd);
  closeSync(homeFd);
  const udp: DatagramSocket[] = [createSocket("udp4").bind({ fd: udp4Fd })];
  if (udp6Fd !== undefined) udp.push(createSocket("udp6").bind({ fd: udp6Fd }));
  const tcp = createServer().listen({ fd: tcpFd });
  return {
    sockets: { tcp, udp },
    run(argv, { nameserver = "10.9.8.7", environment = {} } = {}) {
      const resolver = join(directory, nameserver.replaceAll(":", "-"));
      writeFileSync(resolver, `nameserver ${nameserver}\n`);
      const enter = ["nsenter", `--net=/proc/${process.pid}/fd/${fd}`, "unshare", "--mount"];
      const bind = 'mount --bind "$0" /etc/resolv.conf && exec "$@"';
      return runProcess([...enter, "sh", "-c", bind, resolver, ...argv], {
        environment: { PATH: process.env["PATH"] ?? "", HOME: directory, ...environment },
      });
    },
    close() {
      closeSync(fd);
      rmSync(directory, { recursive: true });
    },
  };
}
