import type { EgressReason } from "../../protocol/egress.ts";
import { isMethod, type HttpRequest } from "../policy/http-scope.ts";
import type { PolicyCeiling } from "../policy/policy.ts";
import { readRequestPath } from "../http/request-path.ts";
import type { Rule } from "../policy/rule.ts";

/** What a denial is about, as far as explaining it needs it; a `Refusal` and a denying decision are both one. */
export interface Denial {
  code: EgressReason;
  reason: string;
  rule?: Rule | undefined;
  ceiling?: PolicyCeiling | undefined;
  /** It is about an address of this host, its links or its cloud. */
  isForbidden?: boolean | undefined;
  /** The one request that is denied, on a connection that is not. */
  http?: HttpRequest | undefined;
}

export interface DenialPlace {
  /** As a rule would name it: `example.com:443`. */
  place: string;
  /** The name by which a person calls the sandbox. */
  sandboxName: string;
}

/** Which denials of a connection a new allow rule would lift, and what it must say besides the place. */
const ALLOWING_WORDS: Partial<Record<EgressReason, string>> = {
  "no-rule": "",
  "port-not-allowed": "",
  "address-not-named": "",
  "protocol-not-allowed": ",opaque",
  "server-name-missing": ",opaque",
  "server-name-differs": ",opaque",
  "server-name-hidden": ",opaque",
  "address-not-allowed": ",private",
};

/** How a person would allow what was denied, in one sentence; undefined when no rule could. */
export function explainRemedy(denial: Denial, where: DenialPlace): string | undefined {
  const { code, rule, ceiling } = denial;
  const { sandboxName } = where;
  if (ceiling !== undefined) {
    return `Only whoever writes the ${ceiling.layer} policy (${ceiling.path}) can allow it.`;
  }
  if (code === "denied-by-rule" && rule !== undefined) {
    if (rule.source === "organisation" || rule.source === "template") {
      return `Only whoever writes the ${rule.source} policy can allow it.`;
    }
    return `A person can allow it on the host with: cattlegrid policy rm ${sandboxName} ${rule.id}`;
  }
  const wanted = describeRule(denial, where);
  if (wanted === undefined) return undefined;
  return `A person can allow it on the host with: cattlegrid policy allow ${sandboxName} ${shellWord(wanted)}`;
}

/** The smallest rule that would allow it, in its short form. */
function describeRule(denial: Denial, { place }: DenialPlace): string | undefined {
  const { code, isForbidden, http } = denial;
  if (http !== undefined && (code === "method-not-allowed" || code === "path-not-allowed")) {
    const path = readRequestPath(http.path);
    const isPlain = isMethod(http.method) && path.ok && !/[*,]/.test(path.value);
    return isPlain ? `${place}${encodeURI(path.value)},${http.method}` : undefined;
  }
  const words = ALLOWING_WORDS[code];
  // SECURITY: nobody is to be talked into opening loopback, link-local or metadata addresses.
  return words === undefined || isForbidden === true ? undefined : `${place}${words}`;
}

/** What a refused program is told; agents pass it on to the person they work for. */
export function explainDenial(denial: Denial, where: DenialPlace): string {
  const remedy = explainRemedy(denial, where);
  return [
    `Cattlegrid's egress policy refused ${where.place}: ${denial.reason}.`,
    "This is a decision of the policy and not a fault of the network; trying again will not help.",
    ...(remedy === undefined ? [] : [remedy]),
    "",
  ].join("\n");
}

function shellWord(text: string): string {
  return /^[A-Za-z0-9_.,:/+@%=~-]+$/.test(text) ? text : `'${text}'`;
}
