/** The server of the egress bench, a process of its own. argv: a file with PEM key and certificate. */
import { createServer as createTlsServer } from "node:tls";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { once } from "node:events";
import { readFileSync } from "node:fs";

const BLOCK = Buffer.alloc(64 * 1024, "x");

async function listen(server: Server): Promise<number> {
  server.listen({ port: 0, host: "127.0.0.1", backlog: 4096 });
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

/** Each line `GET /N HTTP/1.1` is answered with a head and N bytes; other lines of a request are nothing. */
function serve(socket: Socket): void {
  let text = "";
  socket.on("error", () => socket.destroy());
  socket.on("data", (bytes: Buffer) => {
    text += bytes.toString("latin1");
    for (let end = text.indexOf("\r\n\r\n"); end !== -1; end = text.indexOf("\r\n\r\n")) {
      const length = Number(/^GET \/(\d+) /.exec(text)?.[1] ?? 0);
      text = text.slice(end + 4);
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\n`);
      send(socket, length);
    }
  });
}

function send(socket: Socket, left: number): void {
  let rest = left;
  while (rest > 0) {
    const block = BLOCK.subarray(0, Math.min(rest, BLOCK.length));
    rest -= block.length;
    if (!socket.write(block) && rest > 0) {
      socket.once("drain", () => send(socket, rest));
      return;
    }
  }
}

const pem = readFileSync(process.argv[2] ?? "", "utf8");
const plain = await listen(createServer({ noDelay: true }, serve));
const tls = await listen(createTlsServer({ key: pem, cert: pem, noDelay: true }, serve));
process.send?.({ plain, tls });
process.on("disconnect", () => process.exit());
