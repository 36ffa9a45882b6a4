import { parseAddress, type Address } from "../address.ts";
import { quoteHost, readHostName, type HostName } from "../host-name.ts";
import type { HttpRequest } from "../policy/http-scope.ts";
import { parsePortSpan } from "../policy/port-set.ts";
import type { Reading } from "../policy/rule-text.ts";
import type { Protocol } from "../policy/rule.ts";

/** What a program in the sandbox might want. */
export type Wish =
  | { kind: "literal"; address: Address; port: number }
  | {
      kind: "name";
      name: HostName;
      port: number;
      /** What the program speaks. */
      protocol: Protocol;
      http?: HttpRequest;
      /** What the name resolves to, or will be taken to; absent, addresses are not judged. */
      address?: Address;
    };

const SCHEMES: Readonly<Record<string, { port: number; protocol: Protocol }>> = {
  https: { port: 443, protocol: "tls" },
  wss: { port: 443, protocol: "tls" },
  http: { port: 80, protocol: "http" },
  ws: { port: 80, protocol: "http" },
  ssh: { port: 22, protocol: "opaque" },
  git: { port: 9418, protocol: "opaque" },
  postgres: { port: 5432, protocol: "opaque" },
  postgresql: { port: 5432, protocol: "opaque" },
};
const URL_FORM =
  /^(?:(?<scheme>[a-z][a-z0-9+.-]*):\/\/)?(?<host>\[[^\]]*\]|[^/?#:@]*)(?::(?<port>[^/?#]*))?(?<path>[/?][^#]*)?$/i;
const FIX = "Write https://HOST/PATH, HOST:PORT or ADDRESS:PORT.";

export interface WishDetails {
  /** Of the HTTP request; default GET. */
  method?: string | undefined;
  /** What the name resolves to. */
  address?: string | undefined;
}

/** Reads `https://host/path`, `host`, `host:port` or `address:port`, as a person types it for `policy check`. */
export function readWish(text: string, details: WishDetails = {}): Reading<Wish> {
  const { host = "", scheme, port: portText, path } = URL_FORM.exec(text)?.groups ?? {};
  if (host === "") return refuse(`${quoteHost(text)} is no address of anything`);
  const service = readService(scheme?.toLowerCase(), portText);
  if (!service.ok) return service;
  const { port } = service.value;
  const literal = parseAddress(host.replace(/^\[(.*)\]$/, "$1"));
  if (literal !== undefined)
    return { ok: true, value: { kind: "literal", address: literal, port } };
  const name = readHostName(host);
  if (!name.ok) return refuse(name.problem);
  const http = { method: details.method ?? "GET", path: readPath(path) };
  return addAddress({ kind: "name", name: name.value, ...service.value, http }, details.address);
}

function addAddress(wish: Wish & { kind: "name" }, text: string | undefined): Reading<Wish> {
  if (text === undefined) return { ok: true, value: wish };
  const address = parseAddress(text);
  if (address === undefined) return refuse(`${quoteHost(text)} is not an IP address`);
  return { ok: true, value: { ...wish, address } };
}

function readService(
  scheme: string | undefined,
  portText: string | undefined,
): Reading<{ port: number; protocol: Protocol }> {
  const known = scheme === undefined ? undefined : SCHEMES[scheme];
  if (portText === undefined && scheme !== undefined && known === undefined) {
    return refuse(`the port of ${scheme}:// is not known here`);
  }
  const span = parsePortSpan(portText ?? String(known?.port ?? 443));
  if (span === undefined || span.first !== span.last) {
    return refuse(`${quoteHost(portText ?? "")} is not a port`);
  }
  return { ok: true, value: { port: span.first, protocol: protocolOf(scheme, span.first) } };
}

function protocolOf(scheme: string | undefined, port: number): Protocol {
  const services = Object.entries(SCHEMES);
  const usual = services.find(([name, each]) =>
    scheme === undefined ? each.port === port : name === scheme,
  );
  return usual?.[1].protocol ?? "opaque";
}

function readPath(path = "/"): string {
  return path.startsWith("?") ? `/${path}` : path;
}

function refuse(problem: string): { ok: false; problem: string; fix: string } {
  return { ok: false, problem, fix: FIX };
}
