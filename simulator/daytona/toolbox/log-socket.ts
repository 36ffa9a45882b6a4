import type { WebSocket } from "ws";
import { STREAM_PREFIXES, type SessionCommand } from "./session.ts";

/** Sends what a command wrote and writes, each piece after its stream's prefix; then closes. */
export function followLogs(command: SessionCommand, socket: WebSocket): void {
  const send = (stream: keyof typeof STREAM_PREFIXES, bytes: Buffer): void => {
    if (socket.readyState === socket.OPEN)
      socket.send(Buffer.concat([STREAM_PREFIXES[stream], bytes]));
  };
  for (const { stream, bytes } of command.inOrder) send(stream, bytes);
  if (command.hasEnded) return socket.close(1000);
  const end = (): void => socket.close(1000);
  command.events.on("bytes", send);
  command.events.once("end", end);
  socket.once("close", () => {
    command.events.off("bytes", send);
    command.events.off("end", end);
  });
}
