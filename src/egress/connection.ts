import { randomUUID } from "node:crypto";
import type { Socket } from "node:net";
import type { EgressRecord } from "../protocol/egress.ts";
import { formatAddress } from "./address.ts";
import type { Dialled } from "./dial.ts";
import { decide, type EgressRequest } from "./policy/decide.ts";
import type { HostName } from "./host-name.ts";
import { passHttp1 } from "./http/http1-passage.ts";
import { inspect, type Inspection } from "./inspection/inspect.ts";
import type { Passage, RelayEnding, RequestGate } from "./passage.ts";
import { Refusal } from "./refusal.ts";
import { refuseSocket } from "./refuse-socket.ts";
import { passBytes, resetSocket } from "./relay.ts";
import { createRequestGate } from "./http/request-gate.ts";
import { dialRoute, findRoute, type Route, type RouteContext } from "./route.ts";
import type { Protocol } from "./policy/rule.ts";
import { hearClient, OPAQUE_SPEECH, type Speech } from "./speech.ts";
import type { SyntheticAddresses } from "./dns/synthetic-addresses.ts";
import {
  askAbout,
  formatTarget,
  identifyTarget,
  refuseTarget,
  type OriginalDestination,
  type Target,
} from "./target.ts";

/** What a connection needs of its gateway. */
export interface ConnectionContext extends RouteContext {
  readonly sandboxName: string;
  readonly names: SyntheticAddresses;
  /** PEM certificates that vouch for the mirrors. */
  readonly mirrorCertificates: readonly string[];
  readonly halfOpenIdleMs: number;
  /** Absent: what must be inspected is refused. */
  readonly inspection: Inspection | undefined;
  originalDestination(socket: Socket): OriginalDestination | undefined;
  record(fields: Omit<EgressRecord, "time" | "sandboxId">): void;
}

const ENDINGS: Readonly<Record<RelayEnding, string>> = {
  ended: "both sides ended it",
  reset: "it was broken off",
  silent: "one side had ended it, and the other was silent for too long",
};

/** A connection whose other side was reached. */
interface Opened {
  upstream: Socket;
  speech: Speech;
  target: Target;
  /** PEM certificates of the operator that count for it. */
  certificates: readonly string[];
}

/** One captured connection, from its acceptance until both ends are closed. Owns both sockets. */
export class GatewayConnection {
  readonly #id = randomUUID();
  readonly #startedAt = performance.now();
  readonly #client: Socket;
  readonly #context: ConnectionContext;
  readonly #gone = new AbortController();
  #target: Target | undefined;
  #protocol: Protocol | undefined;
  #upstream: Socket | undefined;
  /** The question the relay rests on, asked again when the policy changes. */
  #standing: EgressRequest | undefined;
  #isInspected = false;
  #passage: Passage | undefined;

  constructor(client: Socket, context: ConnectionContext) {
    this.#client = client;
    this.#context = context;
    client.allowHalfOpen = true;
    client.setNoDelay(true);
    // `close` follows every error, and is what ends the connection.
    client.on("error", () => this.#gone.abort());
    client.once("close", () => this.#gone.abort());
  }

  /** The name it is for, whose synthetic address must stay while it is open. */
  get name(): HostName | undefined {
    return this.#target?.kind === "name" ? this.#target.name : undefined;
  }

  /** Resolves when both sockets are closed, or about to. */
  async run(): Promise<void> {
    const opened = await this.#open();
    if (opened instanceof Refusal) return this.#refuse(opened);
    const passage = await this.#pass(opened);
    if (passage instanceof Refusal) return this.#refuse(passage);
    this.#passage = passage;
    // The policy may have changed while the connection was being opened.
    this.reconsider();
    this.#recordClose(opened.upstream, await passage.ended);
  }

  /** Breaks off an open connection that the policy does not allow any more. */
  reconsider(): void {
    if (this.#standing === undefined || this.#client.destroyed) return;
    const decision = decide(this.#context.policy(), this.#standing);
    const isKnown = this.#isInspected || this.#protocol === "http";
    if (decision.action === "allow" && (isKnown || !decision.inspect)) {
      return this.#passage?.reconsider();
    }
    const reason = `the policy changed: ${decision.reason}`;
    this.#recordRefusal(new Refusal("policy-changed", reason, { rule: decision.rule }));
    this.reset();
  }

  reset(): void {
    resetSocket(this.#client);
    if (this.#upstream !== undefined) resetSocket(this.#upstream);
    this.#gone.abort();
  }

  /** Bytes that came from outside so far. */
  get receivedBytes(): number {
    return this.#upstream?.bytesRead ?? 0;
  }

  async #open(): Promise<Refusal | Opened> {
    const target = identifyTarget(
      this.#context.originalDestination(this.#client),
      this.#context.names,
    );
    this.#target = target;
    const impossible = refuseTarget(target);
    if (target === undefined || impossible !== undefined) return impossible ?? Refusal.gone();
    const speech = await this.#listen(target);
    if (speech instanceof Refusal) return speech;
    const question = { target, protocol: speech.protocol, signal: this.#gone.signal };
    const route = await findRoute(this.#context, question);
    if (route instanceof Refusal) return route;
    const upstream = await this.#dial(route, formatTarget(target));
    if (upstream instanceof Refusal) return upstream;
    return { upstream, speech, target, certificates: this.#certificatesFor(route) };
  }

  /** Lets bytes pass, or requests one by one where they can be told apart. */
  async #pass({ upstream, speech, target, certificates }: Opened): Promise<Passage | Refusal> {
    const { halfOpenIdleMs } = this.#context;
    const ends = { client: this.#client, upstream, halfOpenIdleMs };
    const gate = this.#gateRequests(target);
    const reset = (): void => this.reset();
    if (target.kind === "name" && this.#isInspected && this.#context.inspection !== undefined) {
      return inspect(this.#context.inspection, {
        ...ends,
        hello: speech.bytes,
        offered: speech.offered,
        place: { ...target, scheme: "https" },
        certificates,
        gate,
        reset,
      });
    }
    if (target.kind === "name" && speech.protocol === "http") {
      this.#client.unshift(speech.bytes);
      return passHttp1({ ...ends, place: { ...target, scheme: "http" }, gate, reset });
    }
    if (speech.bytes.length > 0) upstream.write(speech.bytes);
    return passBytes(ends);
  }

  #certificatesFor({ mirror, through }: Route): readonly string[] {
    if (mirror !== undefined) return this.#context.mirrorCertificates;
    return through?.upstream.proxy.certificates ?? [];
  }

  #gateRequests(target: Target): RequestGate {
    return createRequestGate({
      policy: () => this.#context.policy(),
      standing: this.#standing ?? askAbout(target),
      where: { place: formatTarget(target), sandboxName: this.#context.sandboxName },
      record: (fields) => this.#record({ kind: "request", ...fields }),
    });
  }

  /** Waits for the client's first bytes, unless a rule lets it say anything. */
  async #listen(target: Target): Promise<Speech | Refusal> {
    const decision = decide(this.#context.policy(), askAbout(target));
    if (decision.action === "deny") return Refusal.of(decision);
    if (target.kind === "literal" || decision.protocols.includes("opaque")) {
      this.#protocol = "opaque";
      return OPAQUE_SPEECH;
    }
    const hearing = await hearClient(this.#client, target, () => this.#context.policy());
    this.#protocol = hearing.ok ? hearing.speech.protocol : hearing.protocol;
    return hearing.ok ? hearing.speech : hearing.refusal;
  }

  async #dial(route: Route, what: string): Promise<Socket | Refusal> {
    const dialled = await dialRoute(route, this.#gone.signal);
    if (!dialled.ok) return this.#gone.signal.aborted ? Refusal.gone() : refuseDial(what, dialled);
    this.#upstream = dialled.socket;
    const standing = route.standing(dialled.target);
    // The policy may have changed while the other side was being reached.
    const decision = decide(this.#context.policy(), standing);
    if (decision.action === "deny") return Refusal.of(decision);
    if (decision.inspect && this.#protocol !== "http") {
      const canInspect = this.#protocol === "tls" && this.#context.inspection !== undefined;
      if (!canInspect) return Refusal.uninspected(decision.rule);
      this.#isInspected = true;
    }
    this.#standing = standing;
    this.#record({
      kind: "connect",
      action: "allow",
      ...(dialled.target.address === "" ? {} : { address: dialled.target.address }),
      rule: { id: decision.rule.id, text: decision.rule.text },
      reasonCode: "allowed",
      reason: decision.reason,
      ...(route.mirror === undefined ? {} : { mirror: route.mirror }),
      ...(route.through === undefined ? {} : { upstream: route.through.upstream.name }),
    });
    return dialled.socket;
  }

  async #refuse(refusal: Refusal): Promise<void> {
    if (this.#upstream !== undefined) resetSocket(this.#upstream);
    this.#recordRefusal(refusal);
    const target = this.#target;
    if (target === undefined) return resetSocket(this.#client);
    await refuseSocket(this.#client, {
      refusal,
      protocol: this.#protocol,
      port: target.port,
      place: formatTarget(target),
      sandboxName: this.#context.sandboxName,
    });
  }

  #recordRefusal(refusal: Refusal): void {
    const { rule } = refusal;
    this.#record({
      kind: "connect",
      action: refusal.action,
      reasonCode: refusal.code,
      reason: refusal.reason,
      ...(this.#target?.kind === "literal" ? { address: formatAddress(this.#target.address) } : {}),
      ...(rule === undefined ? {} : { rule: { id: rule.id, text: rule.text } }),
    });
  }

  #recordClose(upstream: Socket, ending: RelayEnding): void {
    this.#record({
      kind: "close",
      action: "allow",
      reasonCode: "closed",
      reason: ENDINGS[ending],
      bytesIn: upstream.bytesRead,
      bytesOut: upstream.bytesWritten,
      durationMs: Math.round(performance.now() - this.#startedAt),
    });
  }

  #record(fields: Omit<EgressRecord, "time" | "sandboxId" | "connectionId">): void {
    const { name } = this;
    const port = this.#target?.port;
    this.#context.record({
      connectionId: this.#id,
      ...(name === undefined ? {} : { name }),
      ...(port === undefined ? {} : { port }),
      ...(this.#protocol === undefined ? {} : { protocol: this.#protocol }),
      ...fields,
    });
  }
}

function refuseDial(what: string, { problem, through }: Dialled & { ok: false }): Refusal {
  if (through === undefined) return Refusal.unreachable(what, problem);
  // SECURITY: never past the proxy, whatever is wrong with it.
  const reason = `the upstream proxy ${through} did not let ${what} through: ${problem}`;
  return new Refusal("upstream-failed", reason, { action: "error" });
}
