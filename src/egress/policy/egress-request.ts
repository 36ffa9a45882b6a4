import type { Address } from "../address.ts";
import type { HostName } from "../host-name.ts";
import type { HttpRequest } from "./http-scope.ts";
import type { Protocol } from "./rule.ts";

/**
 * A question to the policy. `protocol` is what was observed; absent, nothing has been read yet. `http` is one
 * request on the connection, seen by inspection; absent, the question is of the connection as a whole.
 */
export type EgressRequest =
  | { kind: "lookup"; name: HostName }
  | { kind: "connect"; name: HostName; port: number; protocol?: Protocol; http?: HttpRequest }
  | {
      kind: "dial";
      name: HostName;
      port: number;
      protocol: Protocol;
      address: Address;
      http?: HttpRequest;
    }
  | { kind: "literal"; address: Address; port: number };
