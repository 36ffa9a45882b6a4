import type { TemplateDetail } from "../../protocol/template-list.ts";
import type { TemplatePlan } from "../../protocol/template-plan.ts";
import { makeOneLine } from "../output/error-text.ts";
import { describeBytes } from "./layer-text.ts";

type Template = TemplatePlan["template"];
type Row = readonly [string, string | undefined];

/** What a sandbox made from a template would be, a line for each thing that the template says something of. */
export function renderPlan(plan: TemplatePlan, { summary }: TemplateDetail): string {
  const { template } = plan;
  const secrets = new Set(
    summary.parameters.flatMap(({ name, type }) => (type === "secret" ? [name] : [])),
  );
  const rows: Row[] = [
    ["template", `${template.name} (${template.origin}): ${template.title}`],
    ["base", describeBase(template.base)],
    ["layers", describeLayers(plan)],
    ["agent", describeAgent(plan)],
    ["answers", list(describeAnswers(template, secrets))],
    ["variables", list(describeVariables(plan))],
    ["files", list(plan.files.map((path) => `~/${path}`))],
    ["steering", list(template.steering.map(({ name }) => name))],
    ["MCP servers", list(Object.entries(template.mcpServers).map(describeServer))],
    ["policy", describePolicy(template.policy)],
    ["limits", describeLimits(template)],
    ["workspace", list(template.modes, " or ")],
    ["life", list(describeLife(template.lifetime))],
    ["runs at", list([template.provider, template.isolation].flatMap((said) => said ?? []))],
    ["your own", list(template.import)],
  ];
  const shown = rows.flatMap(([name, text]) => (text === undefined ? [] : [[name, text] as const]));
  const width = Math.max(...shown.map(([name]) => name.length));
  return shown.map(([name, text]) => `${name.padEnd(width)}  ${makeOneLine(text)}\n`).join("");
}

function list(texts: readonly string[], between = ", "): string | undefined {
  return texts.length === 0 ? undefined : texts.join(between);
}

function describeBase(base: Template["base"]): string {
  if (base === "host") return "host: this machine's own programs";
  return Object.entries(base)
    .map(([kind, where]) => `${kind} ${where}`)
    .join(", ");
}

function describeLayers({ layers }: TemplatePlan): string | undefined {
  const states = { built: "built", missing: "to be built", unknown: "built or not" };
  return list(layers.map(({ name, state }) => `${name} (${states[state]})`));
}

function describeAgent({ template, arguments: change }: TemplatePlan): string {
  const { trust = "all", version, model } = template.agents[template.agent] ?? {};
  const parts = [
    `${template.agent}${version === undefined ? "" : `@${version}`}`,
    `trust ${typeof trust === "string" ? trust : trust.join(" ")}`,
    ...(model === undefined ? [] : [`model ${model}`]),
    ...change.without.map((word) => `without ${word}`),
    ...change.with.map((word) => `with ${word}`),
  ];
  return parts.join(", ");
}

/** SECURITY: even the name of a secret says more than who looks over a shoulder needs to know. */
function describeAnswers({ parameters }: Template, secrets: ReadonlySet<string>): string[] {
  return Object.entries(parameters).map(([name, value]) =>
    secrets.has(name) ? `${name} (a secret)` : `${name}=${String(value)}`,
  );
}

function describeVariables({ template, environmentNames }: TemplatePlan): string[] {
  const { environment, bindings } = template;
  return [
    ...new Set([...Object.keys(environment), ...environmentNames]),
    ...Object.keys(bindings).map((name) => `${name} (a secret)`),
  ];
}

function describeServer([name, server]: [string, Template["mcpServers"][string]]): string {
  if ("url" in server) return `${name} at ${server.url}`;
  return `${name} by ${server.command}`;
}

function describePolicy({ preset, allow, deny, ceilings }: Template["policy"]): string {
  const parts = [
    preset ?? "as you say",
    ...allow.map((rule) => `allows ${rule}`),
    ...deny.map((rule) => `denies ${rule}`),
    ...ceilings.map(({ path }) => `nothing beyond ${path}`),
  ];
  return parts.join(", ");
}

function describeLimits({ limits, limitsRequired }: Template): string | undefined {
  const { cpus, memoryBytes, pids } = limits;
  const parts = [
    ...(cpus === undefined ? [] : [`${cpus} cpus`]),
    ...(memoryBytes === undefined ? [] : [`${describeBytes(memoryBytes)} of memory`]),
    ...(pids === undefined ? [] : [`${pids} processes`]),
  ];
  if (parts.length === 0) return undefined;
  return `${parts.join(", ")}${limitsRequired ? "" : ", where the machine can hold them"}`;
}

function describeLife({
  idleStopMs,
  maxAgeMs,
  removeAfterSession,
}: Template["lifetime"]): string[] {
  return [
    ...(idleStopMs === undefined ? [] : [`stops when idle for ${describeTime(idleStopMs)}`]),
    ...(maxAgeMs === undefined ? [] : [`gone after ${describeTime(maxAgeMs)}`]),
    ...(removeAfterSession ? ["gone when its first session ends"] : []),
  ];
}

function describeTime(timeMs: number): string {
  const units = [
    [86_400_000, "d"],
    [3_600_000, "h"],
    [60_000, "m"],
    [1000, "s"],
  ] as const;
  const [size, unit] = units.find(([each]) => timeMs % each === 0) ?? [1, "ms"];
  return `${timeMs / size}${unit}`;
}
