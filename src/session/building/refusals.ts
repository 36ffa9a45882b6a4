import { learn } from "../../egress/advice/learn.ts";
import { CattlegridError } from "../../errors/error.ts";
import { egressRecordSchema, type EgressRecord } from "../../protocol/egress.ts";
import type { ThrowAwaySandbox } from "../../sandbox/life/throw-away.ts";

const SHOWN_MAX = 20;
/** What a step's failure may be taken for when a refused connection is behind it. */
const UNSURE = [
  "TEMPLATE_BUILD_FAILED",
  "PACKAGES_MISSING",
  "PACKAGES_UNVERIFIED",
  "REPOSITORY_PRIVATE",
] as const;
/** Denials that no rule of the template lifts: what is above it, or in it, forbids the place. */
const FIXED = ["denied-by-rule", "beyond-ceiling"];
const NOTHING = { preset: "locked", allow: [], deny: [], ceilings: [] } as const;

/** A host that was refused is the usual reason why a step fails, and programs rarely name it. */
export async function withRefusals(
  error: unknown,
  { box, name }: { box: Pick<ThrowAwaySandbox, "decisions">; name: string },
): Promise<unknown> {
  if (!UNSURE.some((code) => CattlegridError.is(error, code))) return error;
  const { details, cause } = error as CattlegridError;
  const records = (await box.decisions()).map((text) => egressRecordSchema.parse(JSON.parse(text)));
  const refused = records.filter(({ action }) => action === "deny");
  if (refused.length === 0) return error;
  const { output } = details;
  const rules = listRules(refused, typeof output === "string" ? output : "");
  const fixed = refused.filter(({ reasonCode }) => FIXED.includes(reasonCode)).map(placeOf);
  const hint = [
    ...(rules.length === 0
      ? []
      : [`If the step needs it, add to the template's \`policy\`: \`allow: ${list(rules)}\`.`]),
    ...(fixed.length === 0
      ? []
      : [`What is denied, or beyond a ceiling, is not to be had: ${list(fixed)}.`]),
    // What no rule in its short form lifts, such as an address that a name may not have.
    ...(rules.length + fixed.length > 0
      ? []
      : [`What was refused: ${list(refused.map(reasonOf))}.`]),
  ].join(" ");
  const message = `Step "${name}" failed, and the policy had refused connections of it.`;
  return new CattlegridError("TEMPLATE_BUILD_FAILED", message, {
    hint,
    details: { ...details, refused: refused.slice(-SHOWN_MAX) },
    cause,
  });
}

/**
 * The rules, in their short form, that would let a step reach what it was refused. A name that was not even found tells no
 * port; what the step's output calls its address does.
 */
export function listRules(refused: readonly EgressRecord[], output: string): readonly string[] {
  const tried = refused.map((record): EgressRecord => {
    if (record.kind !== "dns") return record;
    const isPlain = output.includes(`http://${record.name}/`);
    return { ...record, kind: "connect", port: isPlain ? 80 : 443 };
  });
  return learn(NOTHING, tried).rules.map(({ rule }) => rule.text);
}

function placeOf({ name, address, port }: EgressRecord): string {
  return `${name ?? address ?? ""}${port === undefined ? "" : `:${port}`}`;
}

function reasonOf(record: EgressRecord): string {
  return `${placeOf(record)}: ${record.reason}`;
}

/** As a list of YAML. */
function list(texts: readonly string[]): string {
  const shown = [...new Set(texts)].slice(0, SHOWN_MAX).map((text) => JSON.stringify(text));
  return `[${shown.join(", ")}]`;
}
