import { once } from "node:events";
import { connect } from "node:net";
import { asCattlegridError } from "../../../../errors/error.ts";
import { leaveDescriptors } from "../../../../platform/descriptor-inbox.ts";
import { openNftables } from "../../../../platform/native/nftables.ts";
import { connectHere } from "../../../capture/connection.ts";
import { captureOnlyHere } from "../../../capture/network.ts";

/**
 * Runs in a container of its own that has a sandbox's network and may change it, for as long as it takes to open sockets
 * there and to leave them at `path`. Without a port: those that capture; else a connection to that port.
 */
const [path, port] = process.argv.slice(2);
// Nothing to do but to have been compiled.
if (path === undefined) process.exit();
const socket = connect(path);
await once(socket, "connect");
socket.pause();
try {
  const fds = port === undefined ? capture() : [await connectHere(Number(port))];
  await leaveDescriptors(socket, { bytes: Buffer.from("{}"), fds });
} catch (error) {
  const { code, message, hint } = asCattlegridError(error);
  const bytes = Buffer.from(JSON.stringify({ code, message: message.slice(0, 1000), hint }));
  await leaveDescriptors(socket, { bytes, fds: [] });
}

function capture(): readonly number[] {
  const { tcpFd, udp4Fd, udp6Fd } = captureOnlyHere(openNftables());
  return [tcpFd, udp4Fd, ...(udp6Fd === undefined ? [] : [udp6Fd])];
}
