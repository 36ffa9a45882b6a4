import { parseCpus, parseLongDuration, parseMemory } from "./amount.ts";
import type { ConfigurationFile } from "../configuration-file.ts";

/** Which amount is the narrower one: the smaller. */
const AMOUNTS = {
  cpus: { flag: "cpus", parse: parseCpus },
  memory: { flag: "memory", parse: parseMemory },
  idleStop: { flag: "idle-stop", parse: parseLongDuration },
  maxAge: { flag: "max-age", parse: parseLongDuration },
} as const;

/** How much of the user's own tree an agent reaches, widest first. */
const MODES = ["direct", "clone", "overlay", "readonly"];

/**
 * What of a project's file counts beside what the user and the organisation said. SECURITY: nothing of it may give a
 * sandbox more than it would have without the file, since the agent itself can write it.
 */
export function narrow(
  { values, places }: ConfigurationFile,
  flags: Readonly<Record<string, string>>,
): ConfigurationFile {
  const wider = new Set<string>();
  for (const [name, { flag, parse }] of Object.entries(AMOUNTS)) {
    const said = values[name as keyof typeof AMOUNTS];
    const before = flags[flag];
    if (said === undefined || before === undefined) continue;
    if (parse(String(said), name) >= parse(before, `--${flag}`)) wider.add(name);
  }
  const { mode } = values;
  const modeBefore = flags["mode"] ?? "direct";
  if (mode !== undefined && MODES.indexOf(mode) <= MODES.indexOf(modeBefore)) wider.add("mode");
  const isKept = ([name]: [string, unknown]): boolean => !wider.has(name);
  return {
    values: Object.fromEntries(Object.entries(values).filter(isKept)),
    places: Object.fromEntries(Object.entries(places).filter(isKept)),
  };
}
