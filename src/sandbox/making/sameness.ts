import { CattlegridError } from "../../errors/error.ts";
import type { SandboxCreate } from "../../protocol/sandbox.ts";
import type { SandboxRow } from "../../store/sandbox-rows.ts";
import { applyTemplate } from "../../template/narrowing.ts";
import { readAnswers } from "../../template/parameters.ts";
import { checkLifted, type Wanted } from "./creation.ts";

/** Throws NAME_IN_USE, naming the value, when `row` was created with another value than is wanted now. */
export function checkSame(row: SandboxRow, wanted: Wanted): void {
  const asked = { ...wanted, request: underTemplate(row, wanted.request) };
  for (const [what, stored, wish] of compare(row, asked)) {
    if (isOpen(wish) || canonical(wish) === canonical(stored)) continue;
    // Values of the environment and texts of policies are not for messages.
    const values = UNSHOWN.has(what) ? "differs" : `is ${show(stored)}, not ${show(wish)}`;
    const message = `The sandbox ${row.name} exists already, and ${what} ${values}.`;
    throw new CattlegridError("NAME_IN_USE", message, { details: { name: row.name, value: what } });
  }
}

const UNSHOWN: ReadonlySet<string> = new Set(["its environment", "its policy file"]);

type Comparison = [string, unknown, unknown];

function compare(row: SandboxRow, wanted: Wanted): Comparison[] {
  return [
    ...compareOrigin(row, wanted),
    ...compareBoundary(row, wanted),
    ...compareRest(row, wanted),
  ];
}

function compareOrigin(row: SandboxRow, { request }: Wanted): Comparison[] {
  const stored = row.specification;
  return [
    ["its template", stored.template?.name, request.template?.name],
    ["its template's parameters", stored.template?.parameters, askedParameters(row, request)],
    ["its agent", row.agent, request.agent],
    ["its agent's version", stored.agentVersion, request.agentVersion],
  ];
}

function compareBoundary(row: SandboxRow, { request, workspace }: Wanted): Comparison[] {
  const stored = row.specification;
  return [
    ["its workspace", stored.workspace?.path ?? null, workspace],
    ["its workspace mode", stored.workspace?.mode, workspace === null ? undefined : request.mode],
    ["its provider", row.provider, request.provider],
    ["its isolation", stored.isolation, request.isolation],
    ["its policy", stored.policy.preset, request.policy?.preset],
    ["its policy file", stored.policy.file?.text, request.policy?.file?.text],
    ["its regions", stored.regions, request.regions],
    ["its allow rules", stored.allow, request.allow],
    ["its deny rules", stored.deny, request.deny],
    ["its limits", stored.limits, request.limits],
    ["its unprotected paths", stored.unprotected, request.unprotect?.map(checkLifted)],
  ];
}

function compareRest({ specification: stored }: SandboxRow, { request }: Wanted): Comparison[] {
  return [
    ["its login profile", stored.loginProfile, request.loginProfile],
    ["its included files", stored.include, request.include],
    ["its toolchains", stored.toolchains, request.toolchains],
    ["its idle stop", stored.lifetime?.idleStopMs, request.idleStopMs],
    ["its maximum age", stored.lifetime?.maxAgeMs, request.maxAgeMs],
    ["its environment", stored.environment, request.environment],
    ["its secrets", stored.bindings, request.bindings],
    ["its removal after the session", stored.removeAfterSession, request.removeAfterSession],
  ];
}

/** Absent and empty wishes are no wishes. Null is one: no workspace. */
function isOpen(asked: unknown): boolean {
  if (asked === undefined) return true;
  return typeof asked === "object" && asked !== null && Object.keys(asked).length === 0;
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return JSON.stringify(value.map(String).sort());
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "";
  return JSON.stringify(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function show(value: unknown): string {
  if (value === null || value === undefined) return "none";
  return typeof value === "string" ? value : JSON.stringify(value);
}

/**
 * What was asked for, as the template that the sandbox was made from lets it count; what was not asked for stays open. What
 * it does not permit is refused as for a new one.
 */
function underTemplate(
  { specification: { template, making } }: SandboxRow,
  request: SandboxCreate,
): SandboxCreate {
  if (template === undefined || making === undefined) return request;
  const { agent = template.agent } = request;
  if (agent !== template.agent) return request;
  const { content } = making.template;
  const narrowed: Record<string, unknown> = applyTemplate({ template, content }, request);
  const asked = Object.entries(request).filter(([, value]) => !isOpen(value));
  return Object.fromEntries(asked.map(([name, value]) => [name, narrowed[name] ?? value]));
}

/** All of them, when some were asked for. */
function askedParameters(
  { specification: { template, making } }: SandboxRow,
  { template: choice }: SandboxCreate,
): unknown {
  const given = choice?.parameters ?? {};
  if (choice?.name !== template?.name || Object.keys(given).length === 0) return undefined;
  return {
    ...template?.parameters,
    ...readAnswers(making?.template.content.parameters ?? {}, given),
  };
}
