import {
  attribute,
  nestedAttribute,
  netlinkRequest,
  type RequestFlag,
} from "../../platform/netlink-message.ts";

const SUBSYSTEM = 10;
const BATCH_BEGIN = 0x10;
const BATCH_END = 0x11;
const NEW_TABLE = (SUBSYSTEM << 8) | 0;
const NEW_CHAIN = (SUBSYSTEM << 8) | 3;
const NEW_RULE = (SUBSYSTEM << 8) | 6;
const FAMILY_NUMBERS = { inet: 1, ip: 2 };
const HOOK_OUTPUT = 3;

const TABLE = "cattlegrid";
/** The register through which an expression hands its value to the next one. */
const VALUE = 1;
const VERDICT = 0;
const VERDICTS = { accept: 1, return: -5 };
const POLICIES = { accept: 1, drop: 0 };

const IPV4 = 2;
const IPV6 = 10;
const TCP = 6;
const UDP = 17;
const DNS_PORT = 53;
const ESTABLISHED_OR_RELATED = 0x6;
const FIXED_PORT = 2;

export type RuleFamily = "inet" | "ip";

/**
 * The rules of `network.ts` in the kernel's own form, one transaction: for where no library of nftables is, such as a
 * kernel that is not this machine's. Every request but the frame around them is to be acknowledged.
 */
export function ruleRequests(family: RuleFamily, capturePort: number): readonly Buffer[] {
  const own = (verdict: keyof typeof VERDICTS): readonly (readonly Expression[])[] => [
    [...protocolIs(family, IPV4), ...fieldIs(NETWORK, 16, Uint8Array.of(127)), end(verdict)],
    ...(family === "ip"
      ? []
      : [[...protocolIs(family, IPV6), ...fieldIs(NETWORK, 24, LOOPBACK_V6), end(verdict)]]),
  ];
  const redirect = redirectTo(capturePort);
  const capture = [
    ...own("return"),
    [...transportIs(TCP), ...redirect],
    [...transportIs(UDP), ...fieldIs(TRANSPORT, 2, short(DNS_PORT)), ...redirect],
  ];
  const fence = [...own("accept"), [...isAnswer(), end("accept")], [reject(family)]];
  const put = (type: number, flags: readonly RequestFlag[], ...attributes: Buffer[]): Buffer =>
    netlinkRequest(type, ["acknowledged", ...flags], head(FAMILY_NUMBERS[family]), ...attributes);
  const rule = (chain: string, expressions: readonly Expression[]): Buffer =>
    put(
      NEW_RULE,
      ["create", "append"],
      attribute(1, text(TABLE)),
      attribute(2, text(chain)),
      nestedAttribute(4, ...expressions.map((each) => nestedAttribute(1, ...each))),
    );
  const chain = (name: string, { type, priority, policy }: ChainKind): Buffer =>
    put(
      NEW_CHAIN,
      ["create"],
      attribute(1, text(TABLE)),
      attribute(3, text(name)),
      nestedAttribute(4, attribute(1, long(HOOK_OUTPUT)), attribute(2, long(priority))),
      attribute(5, long(POLICIES[policy])),
      attribute(7, text(type)),
    );
  return [
    netlinkRequest(BATCH_BEGIN, [], head(0, SUBSYSTEM)),
    put(NEW_TABLE, ["create"], attribute(1, text(TABLE))),
    chain("capture", { type: "nat", priority: -100, policy: "accept" }),
    chain("fence", { type: "filter", priority: 0, policy: "drop" }),
    ...capture.map((each) => rule("capture", each)),
    ...fence.map((each) => rule("fence", each)),
    netlinkRequest(BATCH_END, [], head(0, SUBSYSTEM)),
  ];
}

interface ChainKind {
  type: "nat" | "filter";
  priority: number;
  policy: keyof typeof POLICIES;
}

/** Its name and its own attributes. */
type Expression = readonly [Buffer, Buffer];

const NETWORK = 1;
const TRANSPORT = 2;
const LOOPBACK_V6 = Uint8Array.from({ length: 16 }, (_, index) => (index === 15 ? 1 : 0));

function expression(name: string, ...attributes: readonly Uint8Array[]): Expression {
  return [attribute(1, text(name)), nestedAttribute(2, ...attributes)];
}

function value(bytes: Uint8Array): Buffer {
  return attribute(1, bytes);
}

/** A table of one family needs not ask. */
function protocolIs(family: RuleFamily, protocol: number): readonly Expression[] {
  const key = 15;
  if (family === "ip") return [];
  return [loadMeta(key), equals(Uint8Array.of(protocol))];
}

function transportIs(protocol: number): readonly Expression[] {
  const key = 16;
  return [loadMeta(key), equals(Uint8Array.of(protocol))];
}

function loadMeta(key: number): Expression {
  return expression("meta", attribute(1, long(VALUE)), attribute(2, long(key)));
}

function fieldIs(header: number, offset: number, bytes: Uint8Array): readonly Expression[] {
  const load = expression(
    "payload",
    attribute(1, long(VALUE)),
    attribute(2, long(header)),
    attribute(3, long(offset)),
    attribute(4, long(bytes.length)),
  );
  return [load, equals(bytes)];
}

function equals(bytes: Uint8Array): Expression {
  return expression("cmp", attribute(1, long(VALUE)), compare(0), nestedAttribute(3, value(bytes)));
}

function compare(operation: number): Buffer {
  return attribute(2, long(operation));
}

/** Whether the packet belongs to a connection that was let through. */
function isAnswer(): readonly Expression[] {
  const mask = Buffer.alloc(4);
  mask.writeUInt32LE(ESTABLISHED_OR_RELATED);
  const none = Buffer.alloc(4);
  return [
    expression("ct", attribute(1, long(VALUE)), attribute(2, long(0))),
    expression(
      "bitwise",
      attribute(1, long(VALUE)),
      attribute(2, long(VALUE)),
      attribute(3, long(mask.length)),
      nestedAttribute(4, value(mask)),
      nestedAttribute(5, value(none)),
    ),
    expression("cmp", attribute(1, long(VALUE)), compare(1), nestedAttribute(3, value(none))),
  ];
}

function redirectTo(port: number): readonly Expression[] {
  return [
    expression("immediate", attribute(1, long(VALUE)), nestedAttribute(2, value(short(port)))),
    expression("redir", attribute(1, long(VALUE)), attribute(3, long(FIXED_PORT))),
  ];
}

function end(verdict: keyof typeof VERDICTS): Expression {
  const code = nestedAttribute(2, attribute(1, long(VERDICTS[verdict])));
  return expression("immediate", attribute(1, long(VERDICT)), nestedAttribute(2, code));
}

/** The port is unreachable, said in the words of the packet's own family. */
function reject(family: RuleFamily): Expression {
  const [type, code] = family === "inet" ? [2, 1] : [0, 3];
  return expression("reject", attribute(1, long(type)), attribute(2, Uint8Array.of(code)));
}

function head(family: number, resource = 0): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt8(family, 0);
  bytes.writeUInt16BE(resource, 2);
  return bytes;
}

function text(string: string): Buffer {
  return Buffer.from(`${string}\0`);
}

function long(number: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(number);
  return bytes;
}

function short(number: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(number);
  return bytes;
}
