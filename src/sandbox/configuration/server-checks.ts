import type { EgressPolicy } from "../../egress/policy/policy.ts";
import { forecastDecision } from "../../egress/advice/forecast.ts";
import { readWish } from "../../egress/advice/wish.ts";
import { CattlegridError } from "../../errors/error.ts";
import type { ResolvedTemplate } from "../../protocol/template.ts";
import type { TemplateMcpServer } from "../../protocol/template-file.ts";

/** Headers whose values are secrets, whoever the server is. */
const SECRET_HEADER = /^(?:proxy-)?authorization$|^cookie$|key|token|secret|password/i;
const VARIABLE = /\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g;

export interface ServerPlace {
  /** Variables that the agent is given as secrets of the caller. */
  credentials: readonly string[];
  /** Compiled when there is an address to judge. */
  policy(): EgressPolicy;
}

/**
 * Servers that could never be reached are refused, instead of failing at the agent's start where nobody looks. Throws
 * MCP_HOST_DENIED, and TEMPLATE_INVALID for a secret that stands in the template's text.
 */
export function checkServers(template: ResolvedTemplate | undefined, place: ServerPlace): void {
  if (template === undefined) return;
  for (const [name, server] of Object.entries(template.mcpServers)) {
    if (!("url" in server)) continue;
    checkHeaders(name, server, [
      ...Object.keys(template.bindings),
      ...Object.keys(template.environment),
      ...place.credentials,
    ]);
    checkAddress(name, server.url, place);
  }
}

function checkAddress(name: string, url: string, place: ServerPlace): void {
  const wish = readWish(url);
  if (!wish.ok || !/^https?:/i.test(url)) {
    throw new CattlegridError("TEMPLATE_INVALID", `The MCP server ${name} has no usable url.`, {
      hint: "Write https://HOST/PATH.",
    });
  }
  const { decision } = forecastDecision(place.policy(), wish.value);
  if (decision.action === "allow") return;
  const { host } = new URL(url);
  const message = `The policy lets nothing out to ${host}, where the MCP server ${name} is.`;
  throw new CattlegridError("MCP_HOST_DENIED", message, {
    details: { server: name },
    hint: `Add \`allow: [${host}]\` to the template's policy, or --allow ${host} where the template leaves it open.`,
  });
}

/** SECURITY: a template is read by many, and its sandboxes' files by their agents: what it holds is no secret any more. */
function checkHeaders(
  name: string,
  { headers = {} }: Extract<TemplateMcpServer, { url: string }>,
  known: readonly string[],
): void {
  for (const [header, text] of Object.entries(headers)) {
    const variables = [...text.matchAll(VARIABLE)].map(([, variable = ""]) => variable);
    const unknown = variables.find((variable) => !known.includes(variable));
    if (unknown !== undefined) {
      const message = `The header ${header} of the MCP server ${name} names ${unknown}, which the template gives nobody.`;
      throw new CattlegridError("TEMPLATE_INVALID", message, {
        hint: `Say \`secrets: {${unknown}: NAME-OF-A-SECRET}\`.`,
      });
    }
    if (variables.length > 0 || !SECRET_HEADER.test(header)) continue;
    const message = `The header ${header} of the MCP server ${name} holds a secret in the template's text.`;
    throw new CattlegridError("TEMPLATE_INVALID", message, {
      hint: "Keep it with `cattlegrid secret set`, say `secrets: {VARIABLE: NAME}`, and write ${VARIABLE} here.",
    });
  }
}
