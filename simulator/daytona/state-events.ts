import type { WebSocket } from "ws";
import type { FakeSandbox, SandboxState } from "./sandbox.ts";
import { dto, type Service } from "./service.ts";

const PING_INTERVAL_MS = 25_000;
/** Engine.IO's packets, of which Socket.IO's are the messages. */
const PACKETS = { open: "0", ping: "2", connect: "40", event: "42" } as const;

/** Tells a client of every change of state, in as much of Socket.IO 4 as that takes. */
export function tellStates(service: Service, socket: WebSocket): void {
  const send = (packet: string, content: unknown): void => {
    if (socket.readyState === socket.OPEN) socket.send(packet + JSON.stringify(content));
  };
  const open = { upgrades: [], pingInterval: PING_INTERVAL_MS, pingTimeout: 20_000 };
  send(PACKETS.open, { sid: "fake-engine", ...open, maxPayload: 1_000_000 });
  const pinging = setInterval(() => socket.send(PACKETS.ping), PING_INTERVAL_MS);
  pinging.unref();
  const tell = (sandbox: FakeSandbox, oldState: SandboxState): void => {
    const change = { sandbox: dto(service, sandbox).json, oldState, newState: sandbox.state };
    send(PACKETS.event, ["sandbox.state.updated", change]);
  };
  service.events.on("state", tell);
  socket.on("message", (data: Buffer) => {
    if (data.toString().startsWith(PACKETS.connect)) send(PACKETS.connect, { sid: "fake-socket" });
  });
  socket.once("close", () => {
    clearInterval(pinging);
    service.events.off("state", tell);
  });
}
