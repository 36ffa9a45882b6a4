import { chmod, rename, rm } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import fastify, { type FastifyInstance } from "fastify";
import { CattlegridError } from "../errors/error.ts";
import type { Logger } from "../platform/logger.ts";
import { checkSocketPath } from "../platform/paths.ts";
import { readPeerUid } from "../platform/peer-credentials.ts";
import { API_VERSION, API_VERSION_HEADER, PROGRAM_VERSION_HEADER } from "../protocol/version.ts";
import type { Api, Engine } from "./api.ts";
import type { Principal } from "./authorise.ts";
import { addAgentRoutes } from "./agent-routes.ts";
import { addDaemonRoutes, type DaemonControl, type DaemonFacts } from "./daemon-routes.ts";
import { addPruneRoutes } from "./prune-routes.ts";
import { addPortRoutes } from "./port-routes.ts";
import { addPolicyRoutes } from "./policy-routes.ts";
import { toProblem } from "./problem.ts";
import { addChangeRoutes } from "./change-routes.ts";
import { addEventRoutes } from "./event-routes.ts";
import { addSandboxRoutes } from "./sandbox-routes.ts";
import { addQuarantineRoutes } from "./quarantine-routes.ts";
import { addSecretRoutes } from "./secret-routes.ts";
import { addLoginRoutes } from "./login-routes.ts";
import { addTemplateLayerRoutes } from "./template-layer-routes.ts";
import { addTemplateRoutes } from "./template-routes.ts";
import { addSessionRoutes } from "./session-routes.ts";
import { addHostKeyRoutes } from "./host-key-routes.ts";
import { serveUpgrades } from "./upgrades.ts";

const BODY_BYTES_MAX = 32 * 1024 * 1024;
const KEEP_ALIVE_MS = 60_000;
/** What a client that connected just before the socket was taken away has, to say so. */
const LATE_CLIENT_MS = 20;

export interface ServerOptions {
  engine: Engine;
  facts: DaemonFacts;
  control: DaemonControl;
  logger: Logger;
}

/** The API on one unix socket. */
export interface Server {
  /** The directory of `socketFile` must be private. A socket left there is replaced. */
  listen(socketFile: string): Promise<void>;
  countConnections(): number;
  /** Takes the socket away unless somebody is connected; false, and all as before, when somebody is. */
  retire(): Promise<boolean>;
  /** Nobody new can connect, and the socket's name is free; who waits for an answer still gets it. */
  stopListening(): Promise<void>;
  /** Closes every connection. Idempotent. */
  close(): Promise<void>;
}

export function createServer(options: ServerOptions): Server {
  const { engine, logger } = options;
  const app = fastify({
    logger: false,
    bodyLimit: BODY_BYTES_MAX,
    keepAliveTimeout: KEEP_ALIVE_MS,
    requestTimeout: 0,
    forceCloseConnections: true,
  });
  const connections = new Map<Socket, Principal>();
  const principalOf = ({ socket }: IncomingMessage): Principal => {
    const principal = connections.get(socket);
    if (principal !== undefined) return principal;
    throw new CattlegridError("NOT_AUTHORISED", "It is not known who asks.");
  };
  const versions = describeVersions(options.facts);
  // On the raw answer, so that event streams, which fastify hands over, have them too.
  app.addHook("onRequest", async (_request, reply) => {
    for (const [name, value] of versions) reply.raw.setHeader(name, value);
  });
  watchConnections(app, connections, logger);
  answerErrors(app, logger);
  const api: Api = { app, engine, logger, principalOf: (request) => principalOf(request.raw) };
  addRoutes(api, options);
  const upgrades = serveUpgrades({ server: app.server, versions, engine, logger, principalOf });

  let socket = "";
  return {
    async listen(socketFile) {
      checkSocketPath(socketFile);
      await rm(socketFile, { force: true });
      await app.listen({ path: socketFile });
      // SECURITY: the directory is the fence; the mode is the second one.
      await chmod(socketFile, 0o600);
      socket = socketFile;
    },
    countConnections: () => connections.size,
    async retire() {
      const aside = `${socket}.old`;
      if (connections.size > 0) return false;
      await rename(socket, aside);
      await delay(LATE_CLIENT_MS);
      if (connections.size === 0) return true;
      await rename(aside, socket);
      return false;
    },
    async stopListening() {
      if (!app.server.listening) return;
      // Removes the socket's name too; it calls back only when the last connection is gone.
      app.server.close();
      await rm(`${socket}.old`, { force: true });
    },
    async close() {
      upgrades.close();
      await this.stopListening();
      await app.close();
    },
  };
}

function describeVersions({ version }: DaemonFacts): [string, string][] {
  const api = `${API_VERSION.major}.${API_VERSION.minor}`;
  return [
    [API_VERSION_HEADER, api],
    [PROGRAM_VERSION_HEADER, version],
  ];
}

function watchConnections(
  app: FastifyInstance,
  connections: Map<Socket, Principal>,
  logger: Logger,
): void {
  app.server.on("connection", (socket: Socket) => {
    try {
      connections.set(socket, { id: `local:${readPeerUid(socket)}` });
    } catch (error) {
      // SECURITY: whoever cannot be named is not served.
      logger.error("a connection without credentials", { error });
      socket.destroy();
      return;
    }
    socket.once("close", () => connections.delete(socket));
  });
}

function answerErrors(app: FastifyInstance, logger: Logger): void {
  app.setNotFoundHandler((request) => {
    const message = `${request.method} ${request.url} is not part of this API.`;
    throw new CattlegridError("REQUEST_INVALID", message);
  });
  app.setErrorHandler((error, request, reply) => {
    const problem = toProblem(error);
    const route = `${request.method} ${request.routeOptions.url ?? "?"}`;
    if (problem.fault === "internal") logger.error("a request failed", { route, error });
    else logger.info("a request was refused", { route, code: problem.code });
    return reply.code(problem.status).type("application/problem+json").send(problem);
  });
}

function addRoutes(api: Api, options: ServerOptions): void {
  addSandboxRoutes(api);
  addPortRoutes(api);
  addHostKeyRoutes(api);
  addPolicyRoutes(api);
  addPruneRoutes(api, options.facts.owner);
  addChangeRoutes(api);
  addQuarantineRoutes(api);
  addSecretRoutes(api);
  addSessionRoutes(api);
  addLoginRoutes(api);
  addTemplateRoutes(api, options.facts.owner);
  addTemplateLayerRoutes(api, options.facts.owner);
  addEventRoutes(api);
  addAgentRoutes(api, options.facts.owner);
  addDaemonRoutes(api, options.facts, options.control);
}
