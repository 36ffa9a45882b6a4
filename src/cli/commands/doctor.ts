import { CattlegridError } from "../../errors/error.ts";
import type { DoctorProbe } from "../../protocol/doctor.ts";
import { JSON_FLAG } from "../creation-flags.ts";
import { makePrintable } from "../error-text.ts";
import { defineVerb, type VerbContext } from "../verb.ts";

export const DOCTOR = defineVerb({
  verb: "doctor",
  usage: "[--json]",
  description:
    "Tries everything that sandboxes need of this machine, and names the remedy for what is missing.\n" +
    "Ends with 1 when sandboxes cannot run here.",
  example: "cattlegrid doctor",
  operands: { min: 0, max: 0, names: "" },
  trailing: "none",
  flags: JSON_FLAG,
  async run({ flags }, context) {
    const probes = await probe(context);
    const canRun = probes.every(({ status }) => status !== "missing");
    const { output } = context.caller;
    if (flags.json) output.write(`${JSON.stringify({ canRun, probes }, undefined, 2)}\n`);
    else output.write(renderProbes(probes));
    return canRun ? 0 : 1;
  },
});

/** What keeps the daemon from starting is the first thing to know, so it is a row and no failure. */
async function probe({ api }: VerbContext): Promise<readonly DoctorProbe[]> {
  const platform = probePlatform();
  try {
    const { probes } = await api.get<{ probes: readonly DoctorProbe[] }>("/v1/doctor");
    return [platform, { name: "daemon", status: "ok", detail: "it runs" }, ...probes];
  } catch (error) {
    if (!CattlegridError.is(error) || error.code === "INTERRUPTED") throw error;
    const detail = `${error.message} (${error.code})`;
    return [platform, { name: "daemon", status: "missing", detail, remedy: error.hint }];
  }
}

function probePlatform(): DoctorProbe {
  const detail = `${process.platform} ${process.arch}, Node.js ${process.versions.node}`;
  if (process.platform === "linux") return { name: "platform", status: "ok", detail };
  const remedy = "Run Cattlegrid on Linux, for example in a virtual machine.";
  return { name: "platform", status: "missing", detail, remedy };
}

const MARKS = { ok: "ok", degraded: "less", missing: "MISSING" } as const;

export function renderProbes(probes: readonly DoctorProbe[]): string {
  const width = Math.max(...probes.map(({ name }) => name.length));
  const lines = probes.flatMap(({ name, status, detail, remedy }) => [
    `${MARKS[status].padEnd(7)}  ${name.padEnd(width)}  ${detail}`,
    ...(remedy === undefined ? [] : [`${" ".repeat(width + 11)}remedy: ${remedy}`]),
  ]);
  return `${lines.map(makePrintable).join("\n")}\n`;
}
