import { CattlegridError } from "../../errors/error.ts";
import type { Prunable } from "../../protocol/prune.ts";
import { parseLongDuration } from "../creation/amount.ts";
import { canAsk, type Caller, tell } from "../caller.ts";
import { INPUT_FLAG, JSON_FLAG } from "../creation/creation-flags.ts";
import { renderTable } from "../output/table.ts";
import { describeBytes, isBase } from "../template/layer-text.ts";
import { defineVerb } from "../verb.ts";

export const PRUNE = defineVerb({
  verb: "prune",
  usage: "[FLAGS]",
  description:
    "Removes sandboxes that do not run, with their home and sign-in, and what no sandbox stands on any more:\n" +
    "installed agents, layers of templates and their root file systems.\n" +
    "What would go is listed first, and removed once you agree. Nothing that runs is touched, nor any workspace.",
  example: "cattlegrid prune --older-than 14d",
  operands: { min: 0, max: 0, names: "" },
  trailing: "none",
  flags: {
    "older-than": {
      kind: "text",
      value: "TIME",
      help: "only sandboxes that did not run for this long, such as 14d",
    },
    "dry-run": { kind: "switch", help: "list what would go, and remove nothing" },
    yes: { kind: "switch", short: "y", help: "do not ask first" },
    ...JSON_FLAG,
    ...INPUT_FLAG,
  },
  async run({ flags }, { api, caller }) {
    const text = flags["older-than"];
    const olderThanMs = text === undefined ? 0 : parseLongDuration(text, "--older-than");
    const found = await api.get<Prunable>(`/v1/prunable?olderThanMs=${olderThanMs}`);
    const isEmpty = found.sandboxes.length + found.layers.length === 0;
    if (flags["dry-run"] === true || isEmpty) {
      show(caller, found, flags.json === true);
      if (isEmpty) tell(caller, "cattlegrid: there is nothing to remove.");
      return 0;
    }
    if (flags.yes !== true) await confirm(caller, found, flags.input !== false);
    const sandboxes = found.sandboxes.map(({ id }) => id);
    const layers = found.layers.map(({ provider, layer }) => ({ provider, layer }));
    const removed = await api.post<Prunable>("/v1/prune", { sandboxes, layers });
    show(caller, removed, flags.json === true);
    tell(caller, `cattlegrid: removed ${describeRemoved(removed)}.`);
    return 0;
  },
});

function describeRemoved({ sandboxes, layers }: Prunable): string {
  const of = (wanted: Kind): Prunable["layers"] =>
    layers.filter(({ layer }) => kindOf(layer) === wanted);
  const bytes = layers.reduce((sum, each) => sum + (each.bytes ?? 0), 0);
  const counts = [
    count(sandboxes, "sandbox", "es"),
    count(of("agent"), "installed agent", "s"),
    count(of("template"), "template layer", "s"),
    ...(of("base").length === 0 ? [] : [count(of("base"), "base", "s")]),
  ].join(", ");
  return bytes === 0 ? counts : `${counts}; ${describeBytes(bytes)} are free again`;
}

type Kind = "base" | "template" | "agent";

/** What a template's setup left is named so by the engine, and root file systems too; all others are of agents. */
function kindOf(layer: string): Kind {
  if (isBase(layer)) return "base";
  return layer.startsWith("setup-") ? "template" : "agent";
}

function count({ length }: { length: number }, noun: string, plural: string): string {
  return `${length} ${noun}${length === 1 ? "" : plural}`;
}

function show(caller: Caller, found: Prunable, asJson: boolean): void {
  if (asJson) caller.output.write(`${JSON.stringify(found, undefined, 2)}\n`);
  else if (found.sandboxes.length + found.layers.length > 0) {
    caller.output.write(renderPrunable(found));
  }
}

export function renderPrunable({ sandboxes, layers }: Prunable): string {
  const rows = [
    ...sandboxes.map(({ name, status, since }) => [
      "sandbox",
      name,
      "-",
      `${status} since ${since}`,
    ]),
    ...layers.map(({ provider, layer, bytes }) => [
      kindOf(layer),
      layer,
      bytes === undefined ? "-" : describeBytes(bytes),
      `used by no ${provider} sandbox`,
    ]),
  ];
  return renderTable(["WHAT", "NAME", "SIZE", "WHY"], rows);
}

async function confirm(caller: Caller, found: Prunable, asks: boolean): Promise<void> {
  if (!asks || !canAsk(caller)) {
    throw new CattlegridError("USAGE", "`prune` removes for good and wants --yes.", {
      hint: "See what would go with `cattlegrid prune --dry-run`, then add --yes.",
    });
  }
  tell(caller, renderPrunable(found).trimEnd());
  const prompts = await import("@clack/prompts");
  const { input, errors: output } = caller;
  const message = "Remove all of this for good?";
  const answer = await prompts.confirm({ message, initialValue: false, input, output });
  if (answer === true) return;
  throw new CattlegridError("INTERRUPTED", "Nothing was removed.");
}
