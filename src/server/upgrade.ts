import type { IncomingMessage, Server } from "node:http";
import type { Socket } from "node:net";
import type { Logger } from "../platform/logger.ts";
import type { Engine } from "./api.ts";
import type { Principal } from "./authorise.ts";

export interface UpgradeServing {
  server: Server;
  /** Headers that every answer has. */
  versions: readonly (readonly [string, string])[];
  engine: Engine;
  logger: Logger;
  principalOf(request: IncomingMessage): Principal;
}

/** Connections of one kind that begin as a request and go on as something else. */
export interface Upgrades {
  path: RegExp;
  /** Authorises, then takes the connection over. What it throws before that is answered as a problem. */
  serve(request: IncomingMessage, socket: Socket, head: Buffer): Promise<void>;
  /** Ends those that are open. */
  close(): void;
}
