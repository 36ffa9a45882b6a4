import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";

export interface Door {
  port: number;
  /** For TLS: whom the client trusts. */
  authority?: string;
}

export async function openConnection({ port, authority }: Door): Promise<Socket> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  socket.on("error", () => undefined);
  if (authority === undefined) {
    await once(socket, "connect");
    return socket;
  }
  const tls: TLSSocket = connectTls({ socket, servername: "tls.example", ca: authority });
  await once(tls, "secureConnect");
  tls.on("error", () => undefined);
  return tls;
}

/** Sends one request and reads its answer of `length` bytes to the end. */
export function ask(socket: Socket, length: number): Promise<boolean> {
  return new Promise((resolve) => {
    let left = -1;
    let head = "";
    const finish = (isWhole: boolean): void => {
      socket.off("data", onData).off("close", onClose);
      resolve(isWhole);
    };
    const onClose = (): void => finish(false);
    const onData = (bytes: Buffer): void => {
      if (left >= 0) left -= bytes.length;
      else {
        head += bytes.toString("latin1");
        const end = head.indexOf("\r\n\r\n");
        if (end === -1) return;
        if (!head.startsWith("HTTP/1.1 200")) return finish(false);
        left = length - (head.length - end - 4);
      }
      if (left === 0) finish(true);
    };
    socket.on("data", onData).once("close", onClose);
    socket.write(`GET /${length} HTTP/1.1\r\nHost: tls.example\r\n\r\n`);
  });
}

/** Megabytes a second of one large answer. */
export async function measureThroughput(door: Door, bytes: number): Promise<number> {
  const socket = await openConnection(door);
  const start = performance.now();
  const isWhole = await ask(socket, bytes);
  const seconds = (performance.now() - start) / 1000;
  socket.destroy();
  if (!isWhole) throw new TypeError(`the answer through port ${door.port} was cut short`);
  return bytes / 1e6 / seconds;
}

/** A new connection until the first byte of an answer. */
export async function connectAndAsk(door: Door): Promise<void> {
  const socket = await openConnection(door);
  if (!(await ask(socket, 1))) throw new TypeError(`port ${door.port} refused`);
  socket.destroy();
}

/** What one connection of the crowd came to. */
export interface Attempt {
  at: number;
  endedAt: number;
  isAllowed: boolean;
}

export async function attempt(port: number): Promise<Attempt> {
  const at = performance.now();
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  socket.on("error", () => undefined);
  const isAllowed = await ask(socket, 1);
  socket.destroy();
  return { at, endedAt: performance.now(), isAllowed };
}

/** Opens `count` connections, a few at a time, each of which has been answered once. */
export async function openMany(door: Door, count: number): Promise<Socket[]> {
  const sockets: Socket[] = [];
  while (sockets.length < count) {
    const wave = Array.from({ length: Math.min(25, count - sockets.length) }, async () => {
      const socket = await openConnection(door);
      if (!(await ask(socket, 1))) throw new TypeError("a connection of the crowd was refused");
      return socket;
    });
    sockets.push(...(await Promise.all(wave)));
  }
  return sockets;
}

/** Resolves however the connection ends. */
export function untilClosed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.closed) resolve();
    else socket.once("close", () => resolve());
  });
}
