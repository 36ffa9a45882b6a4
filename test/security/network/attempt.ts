/** What a client inside a sandbox is told to try. One of these is spelled by every client of clients.ts. */
export interface Attempt {
  /**
   * `tcp`: connect, send, read to the end. `tls`: the same inside TLS, without looking at certificates. `udp`: one
   * datagram there and one back. `fetch`: an HTTP client that follows redirects. `read`: a file. `socket`: make one.
   */
  by: "tcp" | "tls" | "udp" | "fetch" | "read" | "socket";
  /** A name or address in any spelling; of `fetch` the URL, of `read` the path, of `socket` the address family. */
  host: string;
  /** Of `socket` its type. */
  port?: number;
  /** The server name of TLS. Default: the host. Of `socket` its protocol. */
  servername?: string;
  /** Default: none is offered. */
  alpn?: "h2";
  /** The token marks bytes that must not, or must, arrive outside. */
  send?(token: string): Buffer | string;
  /** Which sandbox it is made in. Default `ruled`. */
  from?: Place;
  /** Whether what came back is what was wanted. Default: it holds the greeting of a server outside. */
  isReached?(received: string): boolean;
}

/** `ruled`: under the rules of rules.ts. `open`: everything public. `empty`: no rule at all. */
export const PLACES = ["ruled", "open", "empty"] as const;
export type Place = (typeof PLACES)[number];

export interface NetworkCase {
  /** As the list of attacks numbers it. */
  id: string;
  title: string;
  forbidden: readonly Attempt[];
  permitted: readonly Attempt[];
  /** Tests that show the rest of the case. */
  elsewhere?: readonly { file: string; title: string }[];
  /** Why a part of the case, or all of it, cannot be tried here. */
  limit?: string;
}

export const GREETING = "from outside";

export const tcp = (host: string, port: number, send?: Attempt["send"]): Attempt => ({
  by: "tcp",
  host,
  port,
  ...(send === undefined ? {} : { send }),
});

export const tls = (host: string, send: Attempt["send"], more: Partial<Attempt> = {}): Attempt => ({
  by: "tls",
  host,
  port: 443,
  ...(send === undefined ? {} : { send }),
  ...more,
});

export const udp = (host: string, port: number, send: Attempt["send"] = () => "x"): Attempt => ({
  by: "udp",
  host,
  port,
  send,
  isReached: (received) => received !== "",
});

export const fetched = (url: string): Attempt => ({ by: "fetch", host: url });

export const socket = (family: number, type: number, protocol: number): Attempt => ({
  by: "socket",
  host: String(family),
  port: type,
  servername: String(protocol),
  isReached: (received) => received === "open",
});

export const file = (path: string, isReached: Attempt["isReached"]): Attempt => ({
  by: "read",
  host: path,
  ...(isReached === undefined ? {} : { isReached }),
});

export const from = (place: Place, attempts: readonly Attempt[]): Attempt[] =>
  attempts.map((attempt) => ({ ...attempt, from: place }));

/** Whether a table of network devices holds another than loopback. */
export const hasDevices = (text: string): boolean =>
  text.split("\n").some((line) => /^\s*[^\s|]+:/.test(line) && !/^\s*lo:/.test(line));
