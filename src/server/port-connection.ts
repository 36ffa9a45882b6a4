import type { Socket } from "node:net";
import { resetSocket } from "../egress/relay.ts";
import { CattlegridError } from "../errors/error.ts";
import { authorise } from "./authorise.ts";
import type { Upgrades, UpgradeServing } from "./upgrade.ts";

const PATH = /^\/v1\/sandboxes\/([^/?]+)\/connections\/([^/?]+)$/;
const PORT_MAX = 65_535;

/**
 * Serves `GET /v1/sandboxes/{id}/connections/{port}`, `Upgrade: tcp`: the connection becomes one to that port of the
 * sandbox's own loopback. SECURITY: to nothing else, since a provider connects to no other address.
 */
export function servePortConnections(serving: UpgradeServing): Upgrades {
  const { engine, principalOf, versions } = serving;
  const open = new Set<Socket>();
  return {
    path: PATH,
    async serve(request, socket, head) {
      const [, name = "", digits = ""] = PATH.exec(request.url ?? "") ?? [];
      const principal = principalOf(request);
      const sandbox = await engine.sandboxes.find(principal.id, decodeURIComponent(name));
      authorise(principal, "use", { kind: "sandbox", owner: sandbox.owner });
      // Whoever asks may go away while it is connected for them.
      socket.on("error", () => resetSocket(socket));
      const reached = await engine.sandboxes.ports.connect(sandbox.id, readPort(digits));
      if (socket.destroyed) return reached.release();
      open.add(socket);
      socket.once("close", () => open.delete(socket));
      socket.write(describeSwitch(versions));
      if (head.length > 0) socket.unshift(head);
      reached.join(socket);
    },
    close() {
      for (const socket of open) resetSocket(socket);
    },
  };
}

function readPort(digits: string): number {
  const port = /^\d+$/.test(digits) ? Number(digits) : 0;
  if (port >= 1 && port <= PORT_MAX) return port;
  throw new CattlegridError("REQUEST_INVALID", `${JSON.stringify(digits)} is not a port.`);
}

function describeSwitch(versions: UpgradeServing["versions"]): string {
  const own = versions.map(([name, value]) => `${name}: ${value}`);
  const head = ["HTTP/1.1 101 Switching Protocols", "connection: Upgrade", "upgrade: tcp", ...own];
  return `${head.join("\r\n")}\r\n\r\n`;
}
