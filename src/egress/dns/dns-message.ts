import type { Address } from "../address.ts";

export const QUERY_TYPES = { A: 1, PTR: 12, AAAA: 28, SVCB: 64, HTTPS: 65 } as const;

const TYPE_NAMES = new Map<number, string>([
  ...Object.entries(QUERY_TYPES).map(([name, type]) => [type, name] as const),
  [2, "NS"],
  [5, "CNAME"],
  [6, "SOA"],
  [10, "NULL"],
  [15, "MX"],
  [16, "TXT"],
  [33, "SRV"],
  [252, "AXFR"],
  [255, "ANY"],
]);

export const RESPONSE_CODES = { ok: 0, malformed: 1, refused: 5 } as const;
export type ResponseCode = keyof typeof RESPONSE_CODES;

export interface Query {
  id: number;
  flags: number;
  /** Labels joined by dots, as sent; undefined when a label holds what no host name holds. */
  name: string | undefined;
  type: number;
  class: number;
  /** The question as sent, repeated in the answer. */
  question: Buffer;
  /** How much of a client takes that understands extensions (EDNS), and can be told why it is refused. */
  payloadBytes?: number;
}

/** `nothing` deserves no answer: it is too short, or itself an answer. */
export type QueryReading =
  | { kind: "nothing" }
  | { kind: "malformed"; id: number; flags: number }
  | { kind: "query"; query: Query };

export interface Answer {
  code: ResponseCode;
  /** The one record: an IPv4 address for A, a name for PTR. */
  data?: Buffer;
  /** Why it is refused, for a person to read; told to clients that understand extensions. */
  explanation?: string;
}

const HEADER_BYTES = 12;
const LABEL_BYTES_MAX = 63;
const NAME_BYTES_MAX = 255;
const FLAG_RESPONSE = 0x8000;
const FLAG_RECURSION_DESIRED = 0x0100;
const FLAG_RECURSION_AVAILABLE = 0x0080;
const OPCODE_MASK = 0x7800;
const POINTER_TO_QUESTION = 0xc000 | HEADER_BYTES;
const ANSWER_TTL_SECONDS = 60;
const TYPE_OPTIONS = 41;
const OPTION_EXTENDED_ERROR = 15;
/** RFC 8914: the server refuses because of a policy of its operator. */
const EXTENDED_ERROR_BLOCKED = 15;
const PAYLOAD_BYTES = 1232;
/** What every client takes, whatever it says. */
const PAYLOAD_BYTES_MIN = 512;

/** Reads one query. Whatever the bytes are, it answers and never throws. */
export function readQuery(message: Buffer): QueryReading {
  if (message.length < HEADER_BYTES) return { kind: "nothing" };
  const id = message.readUInt16BE(0);
  const flags = message.readUInt16BE(2);
  if ((flags & FLAG_RESPONSE) !== 0) return { kind: "nothing" };
  const isPlainQuery = (flags & OPCODE_MASK) === 0 && message.readUInt16BE(4) === 1;
  const labels = isPlainQuery ? readLabels(message) : undefined;
  if (labels === undefined || message.length < labels.end + 4) {
    return { kind: "malformed", id, flags };
  }
  const isNameable = labels.texts.every((label) => /^[A-Za-z0-9_-]+$/.test(label));
  const query: Query = {
    id,
    flags,
    name: isNameable ? labels.texts.join(".") : undefined,
    type: message.readUInt16BE(labels.end),
    class: message.readUInt16BE(labels.end + 2),
    question: message.subarray(HEADER_BYTES, labels.end + 4),
    ...readOptions(message, labels.end + 4),
  };
  return { kind: "query", query };
}

export function writeAnswer(query: Query, answer: Answer): Buffer {
  const { code, data, explanation } = answer;
  const additional =
    explanation === undefined || query.payloadBytes === undefined
      ? []
      : [writeExplanation(explanation, query.payloadBytes - HEADER_BYTES - query.question.length)];
  const counts = { questions: 1, answers: data === undefined ? 0 : 1 };
  const header = writeHeader(query, { code, ...counts, additional: additional.length });
  if (data === undefined) return Buffer.concat([header, query.question, ...additional]);
  const fields = Buffer.alloc(12);
  fields.writeUInt16BE(POINTER_TO_QUESTION, 0);
  fields.writeUInt16BE(query.type, 2);
  fields.writeUInt16BE(query.class, 4);
  fields.writeUInt32BE(ANSWER_TTL_SECONDS, 6);
  fields.writeUInt16BE(data.length, 10);
  return Buffer.concat([header, query.question, fields, data]);
}

/** The pseudo-record of extensions with one extended error. */
function writeExplanation(explanation: string, bytesMax: number): Buffer {
  const fields = Buffer.alloc(17);
  const text = Buffer.from(explanation).subarray(0, bytesMax - fields.length);
  fields.writeUInt16BE(TYPE_OPTIONS, 1);
  fields.writeUInt16BE(PAYLOAD_BYTES, 3);
  fields.writeUInt16BE(6 + text.length, 9);
  fields.writeUInt16BE(OPTION_EXTENDED_ERROR, 11);
  fields.writeUInt16BE(2 + text.length, 13);
  fields.writeUInt16BE(EXTENDED_ERROR_BLOCKED, 15);
  return Buffer.concat([fields, text]);
}

/** The answer to bytes that hold no question which could be repeated. */
export function writeMalformed(query: { id: number; flags: number }): Buffer {
  return writeHeader(query, { code: "malformed", questions: 0, answers: 0, additional: 0 });
}

export function addressData(address: Address): Buffer {
  const data = Buffer.alloc(4);
  data.writeUInt32BE(Number(address.value), 0);
  return data;
}

export function nameData(name: string): Buffer {
  const labels = name.split(".").map((label) => {
    return Buffer.concat([Buffer.from([label.length]), Buffer.from(label, "latin1")]);
  });
  return Buffer.concat([...labels, Buffer.from([0])]);
}

export function queryTypeName(type: number): string {
  return TYPE_NAMES.get(type) ?? `TYPE${type}`;
}

/** Clients put their extensions first, behind the question, under the root's name. */
function readOptions(message: Buffer, offset: number): { payloadBytes?: number } {
  const isAlone = message.readUInt16BE(6) === 0 && message.readUInt16BE(8) === 0;
  if (!isAlone || message.readUInt16BE(10) === 0 || message.length < offset + 5) return {};
  if (message[offset] !== 0 || message.readUInt16BE(offset + 1) !== TYPE_OPTIONS) return {};
  const offered = message.readUInt16BE(offset + 3);
  return { payloadBytes: Math.min(PAYLOAD_BYTES, Math.max(PAYLOAD_BYTES_MIN, offered)) };
}

/** A question's name is never compressed: there is nothing before it that a pointer could mean. */
function readLabels(message: Buffer): { texts: string[]; end: number } | undefined {
  const texts: string[] = [];
  let offset = HEADER_BYTES;
  while (offset < message.length && offset - HEADER_BYTES < NAME_BYTES_MAX) {
    const length = message[offset] ?? 0;
    if (length === 0) return { texts, end: offset + 1 };
    const end = offset + 1 + length;
    if (length > LABEL_BYTES_MAX || end > message.length) return undefined;
    texts.push(message.toString("latin1", offset + 1, end));
    offset = end;
  }
  return undefined;
}

function writeHeader(
  query: { id: number; flags: number },
  answer: { code: ResponseCode; questions: number; answers: number; additional: number },
): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  const kept = query.flags & (OPCODE_MASK | FLAG_RECURSION_DESIRED);
  const flags = FLAG_RESPONSE | FLAG_RECURSION_AVAILABLE | kept | RESPONSE_CODES[answer.code];
  header.writeUInt16BE(query.id, 0);
  header.writeUInt16BE(flags, 2);
  header.writeUInt16BE(answer.questions, 4);
  header.writeUInt16BE(answer.answers, 6);
  header.writeUInt16BE(answer.additional, 10);
  return header;
}
