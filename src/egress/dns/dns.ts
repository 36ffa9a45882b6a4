import type { SocketAddress } from "../../platform/socket-address.ts";
import type { EgressReason } from "../../protocol/egress.ts";
import type { CaptureDatagrams } from "../../sandbox/capture/capture-sockets.ts";
import { parseAddress } from "../address.ts";
import { decide, type Denied } from "../policy/decide.ts";
import {
  addressData,
  nameData,
  QUERY_TYPES,
  queryTypeName,
  readQuery,
  writeAnswer,
  writeMalformed,
  type Answer,
  type Query,
} from "./dns-message.ts";
import { explainRemedy } from "../advice/explain.ts";
import { readAsciiName, type HostName } from "../host-name.ts";
import { NEW_NAMES_MAX, type NewNames } from "./new-names.ts";
import type { EgressPolicy } from "../policy/policy.ts";
import type { Rule } from "../policy/rule.ts";
import type { SyntheticAddresses } from "./synthetic-addresses.ts";

export interface NameAnswering {
  policy: EgressPolicy;
  names: SyntheticAddresses;
  newNames: NewNames;
  sandboxName: string;
  /** Denied names get an address too, so that what is wanted of them is seen; connections are decided as ever. */
  isLearning?: boolean;
}

/** What is recorded of one query; undefined in `rule` when none speaks of it. */
export interface LookupOutcome {
  action: "allow" | "deny";
  code: EgressReason;
  reason: string;
  name?: string;
  queryType?: string;
  rule?: Rule;
}

export interface DnsReply {
  /** Absent: the bytes deserve no answer. */
  message?: Buffer;
  /** Absent: nothing was decided that another record does not tell. */
  outcome?: LookupOutcome;
}

const CLASS_IN = 1;
const NAME_SHOWN_MAX = 300;
const EMPTY_TYPES: readonly number[] = [QUERY_TYPES.AAAA, QUERY_TYPES.HTTPS, QUERY_TYPES.SVCB];

/**
 * Answers one query from policy alone. SECURITY: a query is never forwarded, so a label cannot carry
 * anything out; the names inside are resolved by the gateway, when it dials.
 */
export function answerQuery(message: Buffer, answering: NameAnswering): DnsReply {
  const reading = readQuery(message);
  if (reading.kind === "nothing") return {};
  if (reading.kind === "malformed") {
    const outcome = denial("query-malformed", "the bytes are not one DNS query");
    return { message: writeMalformed(reading), outcome };
  }
  const { query } = reading;
  const { answer, outcome } = decideQuery(query, answering);
  const told = { name: shownName(query), queryType: queryTypeName(query.type) };
  return {
    message: writeAnswer(query, answer),
    ...(outcome === undefined ? {} : { outcome: { ...told, ...outcome } }),
  };
}

/** Serves one socket until it closes. The socket's owner closes it. */
export function serveDns(
  socket: CaptureDatagrams,
  answering: () => NameAnswering,
  record: (outcome: LookupOutcome) => void,
): void {
  socket.on("message", (message: Buffer, sender: SocketAddress) => {
    const { message: reply, outcome } = answerQuery(message, answering());
    if (outcome !== undefined) record(outcome);
    // A client that is gone before its answer comes is no business of anybody's.
    if (reply !== undefined) socket.send(reply, sender.port, sender.address, () => undefined);
  });
}

interface Decided {
  answer: Answer;
  outcome?: LookupOutcome;
}

function decideQuery(query: Query, answering: NameAnswering): Decided {
  if (query.type === QUERY_TYPES.PTR) return decidePointer(query, answering.names);
  const name = readAsciiName(query.name ?? "");
  if (query.name === undefined || !name.ok) {
    const problem = name.ok ? "" : `: ${name.problem}`;
    return refuse(denial("name-malformed", `the name is not a host name${problem}`));
  }
  const decision = decide(answering.policy, { kind: "lookup", name: name.value });
  if (decision.action === "deny")
    return denyLookup(query, { name: name.value, decision }, answering);
  if (query.class !== CLASS_IN) return refuse(denial("query-type", "only class IN is answered"));
  if (EMPTY_TYPES.includes(query.type)) return { answer: { code: "ok" } };
  if (query.type !== QUERY_TYPES.A) {
    return refuse(denial("query-type", `${queryTypeName(query.type)} queries are not answered`));
  }
  const { rule } = decision;
  if (!answering.names.has(name.value) && !answering.newNames.take(rule)) {
    const reason = `more than ${NEW_NAMES_MAX} new names under ${rule.text} within a minute, which looks like data in names`;
    return refuse({ ...denial("too-many-names", reason), rule });
  }
  return assignAddress(name.value, answering.names, decision);
}

function denyLookup(
  query: Query,
  { name, decision }: { name: HostName; decision: Denied },
  { sandboxName, isLearning, names }: NameAnswering,
): Decided {
  const { code, reason, rule } = decision;
  const outcome = { ...denial(code, reason), ...(rule === undefined ? {} : { rule }) };
  if (isLearning === true && query.class === CLASS_IN) {
    if (EMPTY_TYPES.includes(query.type)) return { answer: { code: "ok" } };
    if (query.type === QUERY_TYPES.A) return { ...assignAddress(name, names, outcome), outcome };
  }
  const remedy = explainRemedy(decision, { place: name, sandboxName }) ?? "";
  const explanation = `Refused by Cattlegrid's egress policy: ${reason}. ${remedy}`.trim();
  return { answer: { code: "refused", explanation }, outcome };
}

function assignAddress(
  name: HostName,
  names: SyntheticAddresses,
  decision: { rule?: Rule; reason: string },
): Decided {
  const address = parseAddress(names.assign(name) ?? "");
  if (address === undefined) {
    return refuse(denial("too-many-names", "too many names have open connections"));
  }
  const { rule, reason } = decision;
  const shown = rule === undefined ? {} : { rule };
  const outcome: LookupOutcome = { action: "allow", code: "allowed", reason, ...shown };
  return { answer: { code: "ok", data: addressData(address) }, outcome };
}

function decidePointer(query: Query, names: SyntheticAddresses): Decided {
  const reversed = /^([0-9.]+)\.in-addr\.arpa$/i.exec(query.name ?? "")?.[1];
  const address = parseAddress(reversed?.split(".").toReversed().join(".") ?? "");
  const name = address === undefined ? undefined : names.find(address);
  if (name !== undefined) return { answer: { code: "ok", data: nameData(name) } };
  return refuse(denial("query-type", "only addresses that were handed out here have names"));
}

function refuse(outcome: LookupOutcome): Decided {
  return { answer: { code: "refused" }, outcome };
}

function denial(code: EgressReason, reason: string): LookupOutcome {
  return { action: "deny", code, reason };
}

/** Printable and bounded, whatever the labels hold. */
function shownName(query: Query): string {
  return (query.name ?? query.question.toString("latin1", 0, query.question.length - 4))
    .replace(/[^\x21-\x7e]/g, (character) => {
      return `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`;
    })
    .slice(0, NAME_SHOWN_MAX);
}
