import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { CattlegridError } from "../../errors/error.ts";
import {
  enterNetworkNamespace,
  enterNewNetworkNamespace,
} from "../../platform/native/namespace.ts";
import { openLoopback } from "../../platform/native/netlink.ts";
import type { Nftables } from "../../platform/native/nftables.ts";
import { bindUdp, listenTcp } from "../../platform/native/raw-socket.ts";

/**
 * SECURITY: below 1024, so that nothing inside can take it: the capability to bind it belongs to the
 * user namespace that owns the network namespace, and that is the keeper's.
 */
export const CAPTURE_PORT = 53;
export const IPV4_LOOPBACK = Uint8Array.of(127, 0, 0, 1);
export const IPV6_LOOPBACK = Uint8Array.from({ length: 16 }, (_, index) => (index === 15 ? 1 : 0));
const IPV4_ANY = new Uint8Array(4);
const IPV6_ANY = new Uint8Array(16);

export interface NetworkNamespace extends CaptureDescriptors {
  /** Keeps the namespace alive; the runtime joins it by this number. */
  fd: number;
}

/**
 * SECURITY: every packet leaves through one of these verdicts. What is addressed to the sandbox's own
 * loopback stays its own, TCP and DNS to anywhere else land on our sockets, answers to those pass, and the
 * rest is refused at once. There is no interface but loopback, so nothing leaves even without the table.
 */
function rules(family: "inet" | "ip"): string {
  const ipv6 = family === "inet";
  return `table ${family} cattlegrid {
    chain capture {
      type nat hook output priority -100; policy accept;
      ip daddr 127.0.0.0/8 return
      ${ipv6 ? "ip6 daddr ::1 return" : ""}
      meta l4proto tcp redirect to :${CAPTURE_PORT}
      udp dport 53 redirect to :${CAPTURE_PORT}
    }
    chain fence {
      type filter hook output priority 0; policy drop;
      ip daddr 127.0.0.0/8 accept
      ${ipv6 ? "ip6 daddr ::1 accept" : ""}
      ct state established,related accept
      reject
    }
  }`;
}

/** Sockets in a network namespace, as descriptors of the process that made them. */
export interface CaptureDescriptors {
  tcpFd: number;
  udp4Fd: number;
  udp6Fd: number | undefined;
}

/**
 * Makes the network namespace of one sandbox on the calling thread, without waiting for anything, and
 * goes back to the namespace that `homeFd` refers to.
 */
export function openNetworkNamespace(nftables: Nftables, homeFd: number): NetworkNamespace {
  const opened: number[] = [];
  try {
    enterNewNetworkNamespace();
    const fd = openSync("/proc/thread-self/ns/net", "r");
    opened.push(fd);
    return { fd, ...captureHere(nftables) };
  } catch (error) {
    for (const fd of opened) closeSync(fd);
    throw error;
  } finally {
    enterNetworkNamespace(homeFd);
  }
}

/**
 * As `openNetworkNamespace`, in a namespace that somebody else has made and in which nothing runs yet.
 * SECURITY: one with an interface besides loopback is refused: the rules would not be all that lies between it and the
 * world, and the namespace might be the host's own.
 */
export function captureIn(nftables: Nftables, networkFd: number): CaptureDescriptors {
  const homeFd = openSync("/proc/thread-self/ns/net", "r");
  try {
    enterNetworkNamespace(networkFd);
    try {
      refuseInterfaces();
      allowIpv6();
      return captureHere(nftables);
    } finally {
      comeBack(homeFd);
    }
  } finally {
    closeSync(homeFd);
  }
}

/** Whoever made the namespace may have left IPv6 out; then there is no ::1, which every program knows. */
function allowIpv6(): void {
  for (const name of ["all", "lo"]) {
    const path = `/proc/sys/net/ipv6/conf/${name}/disable_ipv6`;
    if (existsSync(path) && readFileSync(path, "utf8").trim() !== "0") writeFileSync(path, "0");
  }
}

function refuseInterfaces(): void {
  const lines = readFileSync("/proc/thread-self/net/dev", "utf8").split("\n").slice(2);
  const names = lines.map((line) => line.split(":", 1)[0]?.trim() ?? "").filter(Boolean);
  if (names.every((name) => name === "lo")) return;
  const message = `The sandbox's network has more than a loopback interface: ${names.join(", ")}.`;
  throw new CattlegridError("EGRESS_UNAVAILABLE", message);
}

/** SECURITY: a thread that stayed behind would do everything else in there; better that this process ends. */
function comeBack(homeFd: number): void {
  try {
    enterNetworkNamespace(homeFd);
  } catch (error) {
    process.stderr.write(`cannot leave a sandbox's network: ${String(error)}\n`);
    process.exit(1);
  }
}

/** Makes every connection of the calling thread's network namespace land at the sockets that it opens there. */
function captureHere(nftables: Nftables): CaptureDescriptors {
  const opened: number[] = [];
  const keep = (fd: number): number => {
    opened.push(fd);
    return fd;
  };
  try {
    const ipv6 = existsSync("/proc/thread-self/net/if_inet6");
    openLoopback(ipv6 ? ["ipv4", "ipv6"] : ["ipv4"]);
    nftables.apply(rules(ipv6 ? "inet" : "ip"));
    const tcpFd = keep(listenTcp({ address: ipv6 ? IPV6_ANY : IPV4_ANY, port: CAPTURE_PORT }));
    const udp4Fd = keep(bindUdp({ address: IPV4_LOOPBACK, port: CAPTURE_PORT }));
    const udp6Fd = ipv6 ? keep(bindUdp({ address: IPV6_LOOPBACK, port: CAPTURE_PORT })) : undefined;
    return { tcpFd, udp4Fd, udp6Fd };
  } catch (error) {
    for (const fd of opened.toReversed()) closeSync(fd);
    throw error;
  }
}
