import { z } from "zod";

/** Why a decision came out as it did. Stable: scripts match on it; `reason` says the same in words. */
export const egressReasonSchema = z.enum([
  "allowed",
  "denied-by-rule",
  "no-rule",
  "port-not-allowed",
  "protocol-not-allowed",
  "address-not-allowed",
  "address-not-named",
  "method-not-allowed",
  "path-not-allowed",
  "path-ambiguous",
  "beyond-ceiling",
  "inspection-unavailable",
  "name-malformed",
  "query-malformed",
  "query-type",
  "dns-over-tcp",
  "direct-to-gateway",
  "address-expired",
  "server-name-missing",
  "server-name-differs",
  "server-name-hidden",
  "host-differs",
  "request-malformed",
  "request-refused",
  "request-denied",
  "protocol-unreadable",
  "certificate-untrusted",
  "client-distrusts",
  "upstream-failed",
  "first-bytes-late",
  "too-many-connections",
  "too-many-names",
  "policy-changed",
  "unreachable",
  "closed",
  "records-dropped",
]);
export type EgressReason = z.infer<typeof egressReasonSchema>;

/**
 * One line of `logs NAME --egress --json`. `dns`, `connect` and `request` are decisions; `close` tells what a relayed
 * connection moved; `gap` tells that records could not be written; `port` tells of a connection that came in by a
 * published port, or for a client of the API; `policy` of a rule that a person added or took away. Readers ignore fields they do not know.
 */
export const egressRecordSchema = z
  .object({
    time: z.iso.datetime(),
    sandboxId: z.string(),
    kind: z.enum(["dns", "connect", "request", "close", "gap", "port", "policy"]),
    /** `error`: policy allowed it, and the destination could not be reached. */
    action: z.enum(["allow", "deny", "error"]),
    /** Ties a `close` to its `connect`. */
    connectionId: z.string().optional(),
    /** The name that was looked up or connected to; printable ASCII. */
    name: z.string().optional(),
    /** The address that was dialled, or the bare address that was asked for. */
    address: z.string().optional(),
    port: z.int().optional(),
    protocol: z.enum(["tls", "http", "opaque"]).optional(),
    /** Of one HTTP request on an inspected connection; the path as it was sent, without its query. */
    method: z.string().optional(),
    path: z.string().optional(),
    /** Of a DNS query: A, TXT, … */
    queryType: z.string().optional(),
    rule: z.object({ id: z.string(), text: z.string() }).optional(),
    reasonCode: egressReasonSchema,
    reason: z.string(),
    /** The mirror an allowed name was sent to, as address:port. */
    mirror: z.string().optional(),
    /** The operator's proxy that it went through, as host:port. */
    upstream: z.string().optional(),
    /** From the world into the sandbox. */
    bytesIn: z.int().optional(),
    /** From the sandbox to the world. */
    bytesOut: z.int().optional(),
    durationMs: z.int().optional(),
  })
  .meta({ id: "EgressRecord" });
export type EgressRecord = z.infer<typeof egressRecordSchema>;
