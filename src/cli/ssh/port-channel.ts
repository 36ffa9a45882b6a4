import type { Duplex } from "node:stream";
import type { ServerChannel } from "ssh2";

/** Both ways until both ends are closed; a half-closed end stays half open, and a broken one breaks the other. */
export function joinPort(channel: ServerChannel, port: Duplex): void {
  channel.pipe(port);
  port.pipe(channel, { end: false });
  // The library's `end` would close the channel for what the client still wants to send.
  port.once("end", () => (channel as unknown as { eof(): void }).eof());
  port.once("error", () => port.destroy());
  port.once("close", () => channel.end());
  channel.once("close", () => port.destroy());
}
