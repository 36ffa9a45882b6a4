import type { ChangeApply } from "../../protocol/changes.ts";
import { usage } from "../arguments.ts";
import { canAsk, tell } from "../caller.ts";
import { applyAndTell } from "../changes/applying.ts";
import { askForHunks, readHunkFlags } from "../changes/hunk-choice.ts";
import { cleanPath, fetchChanges, paintFor } from "../changes/listing.ts";
import { JSON_FLAG } from "../creation/creation-flags.ts";
import { defineVerb, type VerbContext } from "../verb.ts";

const FLAGS = {
  approve: {
    kind: "list",
    value: "PATH",
    help: "let a held change through, by its own name; the sandbox must be stopped",
  },
  overwrite: {
    kind: "list",
    value: "PATH",
    help: "replace what you changed meanwhile with the sandbox's version",
  },
  keep: {
    kind: "list",
    value: "PATH",
    help: "leave your version of a file, and drop what the sandbox has of it so far",
  },
  mark: {
    kind: "list",
    value: "PATH",
    help: "write both versions of a conflict into the file, between marks, for you to settle",
  },
  hunk: { kind: "list", value: "PATH:N,…", help: "only these hunks of a file, counted from 1" },
  patch: { kind: "switch", short: "p", help: "ask about each hunk" },
  ...JSON_FLAG,
} as const;

export const APPLY = defineVerb({
  verb: "apply",
  usage: "[FLAGS] NAME [PATH...]",
  description:
    "Brings a sandbox's changes to your workspace: all of them, or those at and below the paths. A text that you changed too is\n" +
    "merged; where both changed the same lines nothing at all is applied, until you settle it by name. What your machine could execute later is held back and told, with exit status 1,\n" +
    "until you approve it by name. Ended at any moment, the next `apply` or `diff` finishes it.",
  example: "cattlegrid apply my-sandbox src --approve .github/workflows/ci.yml",
  operands: {
    min: 1,
    max: Infinity,
    names: "the name of a sandbox, and paths in its workspace",
    suggest: ["sandbox"],
  },
  trailing: "none",
  flags: FLAGS,
  async run({ flags, operands: [name = "", ...paths] }, context) {
    const { caller } = context;
    const chosen = await choose({ ...flags, name, paths: paths.map(cleanPath) }, context);
    if (chosen === undefined) {
      tell(caller, "cattlegrid: nothing was chosen, nothing is applied.");
      return 0;
    }
    const body: ChangeApply = {
      ...chosen,
      approve: flags.approve.map(cleanPath),
      overwrite: flags.overwrite.map(cleanPath),
      keep: flags.keep.map(cleanPath),
      mark: flags.mark.map(cleanPath),
    };
    const done = await applyAndTell(context, { name, body, isJson: flags.json === true });
    return done.held.length === 0 ? 0 : HELD;
  },
});

const HELD = 1;

interface Wanted {
  name: string;
  paths: readonly string[];
  hunk: readonly string[];
  patch: boolean | undefined;
}

async function choose(
  { name, paths, hunk, patch }: Wanted,
  { api, caller }: VerbContext,
): Promise<Pick<ChangeApply, "paths" | "hunks"> | undefined> {
  if (patch === true && !canAsk(caller)) {
    throw usage("apply", "--patch asks questions, and there is no terminal. Use --hunk PATH:N.");
  }
  if (patch !== true && hunk.length === 0) return { paths: [...paths] };
  const { changes } = await fetchChanges(api, name, { hunks: true, paths });
  const choice = patch
    ? await askForHunks(changes, caller, paintFor(caller, caller.errors))
    : readHunkFlags(hunk, changes);
  const whole = patch ? [] : paths;
  const all = { ...choice, paths: [...new Set([...whole, ...choice.paths])] };
  return all.paths.length === 0 ? undefined : all;
}
