import { CattlegridError } from "../../errors/error.ts";
import type { PolicyPresets, PolicyForecast } from "../../protocol/policy.ts";
import { parseChoice } from "../creation/amount.ts";
import { sandboxPath } from "../api.ts";
import { usage, type FlagValues, type Flags } from "../arguments.ts";
import { type Caller, write } from "../caller.ts";
import { JSON_FLAG } from "../creation/creation-flags.ts";
import { readEgress, renderRecord, renderSummary, summarise } from "../policy/log.ts";
import {
  addRules,
  removeRules,
  renderPolicy,
  renderPreset,
  renderPresets,
  renderForecast,
  showPolicy,
} from "../policy/rules.ts";
import { defineVerb, type VerbContext } from "../verb.ts";

const POLICY_FLAGS = {
  reason: { kind: "text", value: "TEXT", help: "with allow and deny: why, for whoever reads it" },
  broad: {
    kind: "switch",
    help: "with allow and --reason: more than one organisation's hosts are meant",
  },
  session: { kind: "text", value: "ID", help: "with allow and deny: only until this session ends" },
  method: { kind: "text", value: "METHOD", help: "with check: of the request; default: GET" },
  address: { kind: "text", value: "ADDRESS", help: "with check: what the name resolves to" },
  denied: { kind: "switch", help: "with log: only what was refused" },
  summary: { kind: "switch", help: "with log: added up by place and rule" },
  follow: { kind: "switch", short: "f", help: "with log: wait for more until interrupted" },
  ...JSON_FLAG,
} as const satisfies Flags;

type PolicyFlags = FlagValues<typeof POLICY_FLAGS>;
interface Given {
  flags: PolicyFlags;
  name: string;
  words: readonly string[];
}

const WORDS = ["show", "check", "allow", "deny", "rm", "log", "presets"] as const;
/** What `policy check` ends with for what is denied, as a test does. */
const EXIT_CODE_DENIED = 1;

export const POLICY = defineVerb({
  verb: "policy",
  usage: "show|check|allow|deny|rm|log NAME [RULE|URL…]  |  policy presets [PRESET]",
  description:
    "Shows and changes what may leave a sandbox. Changes hold at once, for open connections too, and stay.\n" +
    "`check NAME URL` tells what would happen, and by which rule, without sending anything; it ends with 1 when denied.\n" +
    "`allow` and `deny` take rules as --allow and --deny of `run` do; `rm` takes a rule or its id from `show`.",
  example: "cattlegrid policy allow my-sandbox registry.npmjs.org",
  operands: { min: 1, max: Infinity, names: WORDS.join(", "), suggest: [WORDS, "sandbox", []] },
  trailing: "none",
  flags: POLICY_FLAGS,
  async run({ flags, operands: [word = "", name = "", ...words] }, context) {
    const given = { flags, name, words };
    const chosen = parseChoice(word, "policy", WORDS);
    if (chosen === "presets") return showPresets(given, context);
    if (name === "") throw usage("policy", `\`policy ${chosen}\` needs the name of a sandbox.`);
    checkWords(chosen, words);
    switch (chosen) {
      case "show":
        return show(given, context);
      case "check":
        return check(given, context);
      case "allow":
      case "deny":
        return change(given, context, chosen);
      case "rm":
        return remove(given, context);
      case "log":
        return log(given, context);
    }
  },
});

function checkWords(word: (typeof WORDS)[number], words: readonly string[]): void {
  const [wanted, most] =
    word === "show" || word === "log"
      ? ["", 0]
      : word === "check"
        ? ["a URL or HOST:PORT", 1]
        : ["a rule", Infinity];
  if (words.length === 0 && most > 0) throw usage("policy", `\`policy ${word}\` needs ${wanted}.`);
  if (words.length <= most) return;
  throw usage("policy", `\`policy ${word}\` takes no ${JSON.stringify(words[most])}.`);
}

async function show({ flags, name }: Given, { api, caller }: VerbContext): Promise<number> {
  const policy = await showPolicy(api, name);
  print(caller, flags.json === true ? policy : renderPolicy(policy));
  return 0;
}

async function check({ flags, name, words }: Given, { api, caller }: VerbContext): Promise<number> {
  const forecast = await api.post<PolicyForecast>(sandboxPath(name, "/egress/check"), {
    url: words[0],
    ...(flags.method === undefined ? {} : { method: flags.method }),
    ...(flags.address === undefined ? {} : { address: flags.address }),
  });
  print(caller, flags.json === true ? forecast : renderForecast(forecast));
  return forecast.action === "allow" ? 0 : EXIT_CODE_DENIED;
}

async function change(
  { flags, name, words }: Given,
  context: VerbContext,
  effect: "allow" | "deny",
): Promise<number> {
  const { reason, broad, session } = flags;
  const added = await addRules(context, name, {
    effect,
    rules: words,
    ...(reason === undefined ? {} : { reason }),
    ...(broad === undefined ? {} : { broad }),
    ...(session === undefined ? {} : { session }),
  });
  if (flags.json === true) print(context.caller, added);
  return 0;
}

async function remove({ flags, name, words }: Given, context: VerbContext): Promise<number> {
  const removed = await removeRules(context, name, words);
  if (flags.json === true) print(context.caller, removed);
  return 0;
}

async function log({ flags, name }: Given, { api, caller }: VerbContext): Promise<number> {
  if (flags.summary === true && flags.follow === true) {
    throw usage("policy", "--summary adds up what there is and cannot --follow.");
  }
  const records = keep(readEgress(api, name, flags.follow === true), flags.denied === true);
  if (flags.summary === true) {
    const summary = await summarise(records);
    print(caller, flags.json === true ? summary : renderSummary(summary));
    return 0;
  }
  const render = flags.json === true ? JSON.stringify : renderRecord;
  for await (const record of records) {
    // `policy log --follow | head` ends with `head`.
    if (!(await write(caller.output, `${render(record)}\n`))) break;
  }
  return 0;
}

async function* keep<R extends { action: string }>(records: AsyncIterable<R>, denied: boolean) {
  for await (const record of records) if (!denied || record.action === "deny") yield record;
}

async function showPresets({ flags, name }: Given, { api, caller }: VerbContext): Promise<number> {
  const presets = await api.get<PolicyPresets>("/v1/policy-presets");
  const wanted = name === "" ? renderPresets(presets) : renderPreset(presets, name);
  if (wanted === undefined) {
    throw new CattlegridError(
      "POLICY_UNKNOWN",
      `There is no policy preset ${JSON.stringify(name)}.`,
    );
  }
  const shown = name === "" ? presets : presets.presets.find((preset) => preset.name === name);
  print(caller, flags.json === true ? shown : wanted);
  return 0;
}

function print(caller: Caller, value: unknown): void {
  caller.output.write(
    typeof value === "string" ? value : `${JSON.stringify(value, undefined, 2)}\n`,
  );
}
