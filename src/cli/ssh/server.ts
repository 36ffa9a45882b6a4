import { createRequire } from "node:module";
import { setTimeout as delay } from "node:timers/promises";
import type { Duplex } from "node:stream";
import type { Connection, ServerConfig, TcpipRequestInfo } from "ssh2";
import { asCattlegridError, CattlegridError } from "../../errors/error.ts";
import { type Api, sandboxPath } from "../api.ts";
import { isReaderGone } from "../caller.ts";
import type { ChannelProgram } from "./channel-program.ts";
import { joinPort } from "./port-channel.ts";
import { isLoopback } from "./program.ts";
import { serveSession } from "./session.ts";

type Library = typeof import("ssh2");

/** A server looks after its clients; this one sees its own streams end, and a client that was suspended is no dead one. */
const NEVER_MS = 2 ** 31 - 1;
/** What programs have to say how they ended, once the sandbox has. */
const LAST_WORDS_MS = 2000;

/** Between the two ends of a pipe nobody listens: what costs least, and checks itself, is enough. */
const ALGORITHMS: NonNullable<ServerConfig["algorithms"]> = {
  cipher: ["aes128-gcm@openssh.com", "aes256-gcm@openssh.com"],
  compress: ["none"],
  serverHostKey: ["ssh-ed25519"],
};

export interface HostKey {
  private: string;
  public: string;
}

export interface ConnectionParts {
  api: Api;
  sandbox: string;
  streams: Duplex;
  hostKey: HostKey;
  /** Resolves when the sandbox has ended, or the daemon. */
  ended: Promise<void>;
  /** Says a line to the person behind the client. */
  tell(text: string): void;
}

/** Read only by the verb that serves: it takes longer than all the rest of this program. */
export function loadLibrary(): Library {
  return createRequire(import.meta.url)("ssh2") as Library;
}

export function makeHostKey({ utils }: Library): HostKey {
  return utils.generateKeyPairSync("ed25519");
}

/** Serves one SSH connection on two streams. Resolves when it is over, with whether the client kept to the protocol. */
export async function serveConnection(library: Library, parts: ConnectionParts): Promise<boolean> {
  const { streams, hostKey, tell } = parts;
  const programs = new Set<ChannelProgram>();
  const over = Promise.withResolvers<void>();
  const server = new library.Server({
    hostKeys: [hostKey.private],
    ident: "Cattlegrid",
    algorithms: ALGORITHMS,
    keepaliveInterval: NEVER_MS,
  });
  let [hasClient, isSound] = [false, true];
  server.on("connection", (client) => {
    hasClient = true;
    serveClient(client, parts, programs);
    client.on("error", (error) => {
      // A client that has gone is no error of the protocol.
      if (isReaderGone(error)) return;
      isSound = false;
      tell(`the SSH connection failed: ${error.message}`);
    });
    void parts.ended.then(() => endClient(client, parts, programs));
  });
  streams.once("close", () => over.resolve());
  // Its end is told by `close`.
  streams.on("error", () => undefined);
  void parts.ended.then(() => delay(LAST_WORDS_MS * 2)).then(() => streams.destroy());
  server.injectSocket(streams as Parameters<typeof server.injectSocket>[0]);
  await over.promise;
  if (!hasClient) tell("What was sent is not SSH; OpenSSH starts this as its ProxyCommand.");
  return hasClient && isSound;
}

function serveClient(
  client: Connection,
  parts: ConnectionParts,
  programs: Set<ChannelProgram>,
): void {
  const { api, sandbox, tell } = parts;
  /**
   * SECURITY: who asks here has started this very process, and the daemon's socket, to which only its owner comes, has let it in. There
   * is one user inside, whatever name is asked for.
   */
  client.on("authentication", (context) => {
    if (context.method === "none") context.accept();
    else context.reject(["none"]);
  });
  client.on("session", (accept) => {
    const onProgram = (program: ChannelProgram): void => {
      programs.add(program);
      void program.over.then(() => programs.delete(program));
    };
    serveSession(accept(), { api, sandbox, onProgram });
  });
  client.on("tcpip", (accept, reject, info) => {
    connectPort(parts, info).then(
      (port) => joinOrDrop(accept, port),
      (error: unknown) => {
        tell(asCattlegridError(error).message);
        reject();
      },
    );
  });
}

function joinOrDrop(accept: () => Parameters<typeof joinPort>[0], port: Duplex): void {
  // None when the connection is over.
  const channel = accept() as Parameters<typeof joinPort>[0] | undefined;
  if (channel === undefined) port.destroy();
  else joinPort(channel, port);
}

async function connectPort(
  { api, sandbox }: ConnectionParts,
  { destIP, destPort }: TcpipRequestInfo,
): Promise<Duplex> {
  if (isLoopback(destIP)) return api.connect(sandboxPath(sandbox, `/connections/${destPort}`));
  const message = `${destIP}:${destPort} is not forwarded to: only the sandbox's own 127.0.0.1 is.`;
  throw new CattlegridError("REQUEST_INVALID", message);
}

async function endClient(
  client: Connection,
  { tell }: ConnectionParts,
  programs: Set<ChannelProgram>,
): Promise<void> {
  tell("The sandbox has ended.");
  const told = Promise.all([...programs].map(({ over }) => over));
  await Promise.race([told, delay(LAST_WORDS_MS)]);
  client.end();
}
