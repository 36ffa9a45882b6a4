import type { Sandbox } from "../../protocol/sandbox.ts";
import { formatDuration } from "../../protocol/duration.ts";
import { sandboxPath } from "../api.ts";
import { JSON_FLAG } from "../creation/creation-flags.ts";
import { makeOneLine } from "../output/error-text.ts";
import { defineVerb } from "../verb.ts";

export const INSPECT = defineVerb({
  verb: "inspect",
  usage: "[--json] NAME",
  description: "Shows everything about one sandbox. Values of variables are never shown.",
  example: "cattlegrid inspect my-sandbox --json",
  operands: { min: 1, max: 1, names: "the name of a sandbox", suggest: ["sandbox"] },
  trailing: "none",
  flags: JSON_FLAG,
  async run({ flags, operands: [name = ""] }, { api, caller }) {
    const sandbox = await api.get<Sandbox>(sandboxPath(name));
    const text = flags.json ? JSON.stringify(sandbox, undefined, 2) : renderSandbox(sandbox);
    caller.output.write(`${text.trimEnd()}\n`);
    return 0;
  },
});

export function renderSandbox(sandbox: Sandbox, nowMs = Date.now()): string {
  const shown = { ...sandbox, lifetime: describeLifetime(sandbox.lifetime, nowMs) };
  return renderFields(shown, "").join("\n");
}

/** With what remains, which is what a person wants to know. An older daemon tells of none. */
function describeLifetime(lifetime: Partial<Sandbox["lifetime"]> = {}, nowMs: number): object {
  const { idleStopMs, idleStopsAt, maxAgeMs, expiresAt } = lifetime;
  const left = (time: string | undefined): string =>
    time === undefined ? "" : `, ${formatDuration(Date.parse(time) - nowMs)} left`;
  return {
    ...(idleStopMs === undefined
      ? {}
      : { idleStop: formatDuration(idleStopMs) + left(idleStopsAt) }),
    ...(maxAgeMs === undefined ? {} : { maximumAge: formatDuration(maxAgeMs) + left(expiresAt) }),
  };
}

/** `name: value` lines; what is in something else is indented under it. */
function renderFields(value: object, indent: string): string[] {
  return Object.entries(value).flatMap(([key, field]: [string, unknown]) => {
    const name = `${indent}${labelOf(key)}:`;
    if (isPlain(field)) return [`${name} ${renderPlain(field)}`];
    const children = Array.isArray(field)
      ? field.flatMap((each: unknown) => renderItem(each, `${indent}  `))
      : renderFields(field as object, `${indent}  `);
    return children.length === 0 ? [`${name} none`] : [name, ...children];
  });
}

function renderItem(item: unknown, indent: string): string[] {
  if (isPlain(item)) return [`${indent}- ${renderPlain(item)}`];
  const fields = Object.entries(item as object).map(
    ([key, field]) => `${labelOf(key)} ${show(field)}`,
  );
  return [`${indent}- ${fields.join(", ")}`];
}

function isPlain(value: unknown): value is string | number | boolean | null | undefined {
  return value === null || typeof value !== "object";
}

function renderPlain(value: string | number | boolean | null | undefined): string {
  if (value === null || value === undefined) return "none";
  if (typeof value === "boolean") return value ? "yes" : "no";
  return makeOneLine(String(value));
}

function show(value: unknown): string {
  return isPlain(value) ? renderPlain(value) : makeOneLine(JSON.stringify(value));
}

/** `statusReason` → `status reason`. */
function labelOf(key: string): string {
  return makeOneLine(
    key.replaceAll(/([a-z])([A-Z])/g, (_, a: string, b: string) => `${a} ${b.toLowerCase()}`),
  );
}
