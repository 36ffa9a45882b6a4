import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createSecureServer, type Http2SecureServer, type Http2ServerRequest } from "node:http2";
import type { Http2ServerResponse } from "node:http2";
import type { AddressInfo, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, createServer as createTlsServer, type TLSSocket } from "node:tls";
import { createCertificates } from "../../simulator/cloud/certificate.ts";
import { openAuthority, type Authority } from "../../src/egress/inspection/authority.ts";
import { HostTrust } from "../../src/egress/inspection/host-trust.ts";
import type { Inspection } from "../../src/egress/inspection/inspect.ts";
import { ServerContexts } from "../../src/egress/inspection/server-contexts.ts";
import { openYard, type GatewayRig, type RigOptions, type Yard } from "./gateway-rig.ts";

/** The name that the servers of these tests have a certificate for. */
export const INSPECTED = "api.example";

export interface InspectionYard extends Yard {
  /** A server of HTTP/1 and HTTP/2, or of TLS with whatever the test says. Gives its port. */
  server(
    /** Default: the test listens for `stream` itself. */
    answer?: (request: Http2ServerRequest, response: Http2ServerResponse) => void,
  ): Promise<Upstream>;
  rawServer(
    onConnection: (socket: TLSSocket) => void,
    names?: readonly string[],
  ): Promise<Upstream>;
  inspectingRig(upstream: Upstream, options: RigOptions): Promise<InspectingRig>;
}

export interface Upstream {
  port: number;
  /** The authority of its certificate. */
  authority: string;
  server: Http2SecureServer | ReturnType<typeof createTlsServer>;
}

export interface InspectingRig extends GatewayRig {
  readonly authority: Authority;
  /** A TLS connection from inside, which trusts the authority of the installation and nothing else. */
  open(options?: { protocols?: string[]; name?: string }): Promise<TLSSocket>;
}

export function openInspectionYard(): InspectionYard {
  const yard = openYard();
  const opened = async (
    server: Upstream["server"],
    { authority }: { authority: string },
  ): Promise<Upstream> => {
    const sockets = new Set<Socket>();
    server.on("connection", (socket: Socket) => {
      sockets.add(socket);
      socket.once("close", () => sockets.delete(socket));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    yard.keep(async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    });
    return { port: (server.address() as AddressInfo).port, authority, server };
  };
  return {
    ...yard,
    server(answer) {
      const { privateKey: key, certificate: cert, authority } = createCertificates([INSPECTED]);
      const server = createSecureServer({ key, cert, allowHTTP1: true }, answer);
      server.on("sessionError", () => undefined);
      return opened(server, { authority });
    },
    rawServer(onConnection, names = [INSPECTED]) {
      const { privateKey: key, certificate: cert, authority } = createCertificates(names);
      const server = createTlsServer({ key, cert, ALPNProtocols: ["http/1.1"] }, (socket) => {
        socket.on("error", () => undefined);
        onConnection(socket);
      });
      return opened(server, { authority });
    },
    async inspectingRig(upstream, options) {
      const { authority, inspection } = openInspection(yard);
      const rig = await yard.rig({
        mirrors: `${INSPECTED}:443=127.0.0.1:${upstream.port}`,
        mirrorCertificates: [upstream.authority],
        inspection,
        ...options,
      });
      const open: InspectingRig["open"] = async ({ protocols, name = INSPECTED } = {}) => {
        const socket = await rig.connect(INSPECTED, 443);
        const ALPNProtocols = protocols === undefined ? {} : { ALPNProtocols: protocols };
        const trust = { ca: authority.certificate, servername: name };
        const tls = connect({ socket, ...trust, ...ALPNProtocols });
        await once(tls, "secureConnect");
        tls.on("error", () => undefined);
        return tls;
      };
      return { ...rig, authority, open };
    },
  };
}

export function openInspection(yard: Pick<Yard, "keep">): {
  authority: Authority;
  inspection: Inspection;
} {
  const directory = mkdtempSync(join(tmpdir(), "cattlegrid-authority-"));
  yard.keep(async () => rmSync(directory, { recursive: true }));
  const authority = openAuthority(join(directory, "authority.pem"));
  const inspection = { contexts: new ServerContexts(authority), trust: new HostTrust() };
  return { authority, inspection };
}

/** Reads until `text` has come, and gives all that came. */
export function readUntil(socket: Socket, text: string): Promise<string> {
  let received = "";
  return new Promise((resolve) => {
    const finish = (): void => {
      socket.off("data", onData).off("close", finish);
      resolve(received);
    };
    const onData = (bytes: Buffer): void => {
      received += bytes.toString("latin1");
      if (received.includes(text)) finish();
    };
    socket.on("data", onData).once("close", finish);
  });
}
