import { createRequire } from "node:module";
import { connect } from "node:net";
import type { WebSocket } from "ws";

/** Opens a WebSocket over a unix socket. Messages are not compressed: both ends are on one machine. */
export function openWebSocket(socketPath: string, path: string): WebSocket {
  const Client = loadClient();
  return new Client(`ws://localhost${path}`, {
    perMessageDeflate: false,
    createConnection: () => connect(socketPath),
    // The mask keeps proxies from being poisoned; on a unix socket there is none, and zero costs no pass over the bytes.
    generateMask: (mask) => void mask.fill(0),
  });
}

/** Reading `ws` takes long enough to do it while the daemon works on the request before. */
export function preloadWebSocket(): void {
  loadClient();
}

/** `require` leaves the lazy exports of `node:http` alone, which `import` would evaluate: 30 ms. */
function loadClient(): typeof WebSocket {
  const require = createRequire(import.meta.url);
  return require("ws") as typeof WebSocket;
}
