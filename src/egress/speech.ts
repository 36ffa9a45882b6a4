import type { Socket } from "node:net";
import { decide } from "./policy/decide.ts";
import { readFirstBytes, type FirstBytes } from "./first-bytes.ts";
import { quoteHost, readAsciiName, type HostName } from "./host-name.ts";
import type { EgressPolicy } from "./policy/policy.ts";
import { Refusal } from "./refusal.ts";
import type { Protocol, Rule } from "./policy/rule.ts";
import { askAbout, type Target } from "./target.ts";

/** What a client turned out to speak, as far as it may. */
export interface Speech {
  protocol: Protocol;
  /** What it said, to be sent on before anything else. */
  bytes: Buffer;
  /** For tls: the application protocols (ALPN) it offers, when it names any. */
  offered?: readonly string[];
}

/** `protocol` tells what was heard even when it is refused. */
export type Hearing =
  | { ok: true; speech: Speech }
  | { ok: false; refusal: Refusal; protocol?: Protocol };

const NO_BYTES = Buffer.alloc(0);

/** Whatever the client says will be relayed, the server may speak first. */
export const OPAQUE_SPEECH: Speech = { protocol: "opaque", bytes: NO_BYTES };

/** Reads what the client says first and compares it with the rules and the looked-up name. */
export async function hearClient(
  socket: Socket,
  target: Target & { kind: "name" },
  policy: () => EgressPolicy,
): Promise<Hearing> {
  const first = await readFirstBytes(socket, { ...target, scheme: "http" });
  const speech = interpret(first);
  if (speech instanceof Refusal) {
    const heard = first.kind === "tls-malformed" ? ({ protocol: "tls" } as const) : {};
    return { ok: false, refusal: speech, ...heard };
  }
  const { protocol } = speech;
  const decision = decide(policy(), { ...askAbout(target), protocol });
  if (decision.action === "deny") return { ok: false, refusal: Refusal.of(decision), protocol };
  const refusal = compareNames(first, target.name, decision.rule);
  return refusal === undefined ? { ok: true, speech } : { ok: false, refusal, protocol };
}

function interpret(first: FirstBytes): Speech | Refusal {
  switch (first.kind) {
    case "tls":
      return {
        protocol: "tls",
        bytes: first.bytes,
        ...(first.protocols === undefined ? {} : { offered: first.protocols }),
      };
    case "http":
      return { protocol: "http", bytes: first.bytes };
    case "http-refused":
      return { protocol: "http", bytes: NO_BYTES };
    case "tls-malformed":
      return new Refusal("request-malformed", `the ClientHello is refused: ${first.problem}`);
    case "other":
      return OPAQUE_SPEECH;
    case "late":
      return new Refusal("first-bytes-late", "the client did not say in time what it wants");
    case "ended":
      return Refusal.gone();
  }
}

function compareNames(first: FirstBytes, name: HostName, rule: Rule): Refusal | undefined {
  if (first.kind === "http-refused") {
    const { code, problem } = first.problem;
    return new Refusal(code, `the request is refused: ${problem}`, { rule });
  }
  if (first.kind !== "tls") return undefined;
  if (first.serverName === undefined) {
    const reason = `the client sent no server name that could be compared with ${name}`;
    return new Refusal("server-name-missing", reason, { rule });
  }
  const sent = readAsciiName(first.serverName);
  if (!sent.ok || sent.value !== name) {
    const reason = `the server name ${quoteHost(first.serverName)} is not the looked-up ${name}`;
    return new Refusal("server-name-differs", reason, { rule });
  }
  if (!first.isNameHidden) return undefined;
  const reason = "the client hides the server name it wants (Encrypted ClientHello)";
  return new Refusal("server-name-hidden", reason, { rule });
}
