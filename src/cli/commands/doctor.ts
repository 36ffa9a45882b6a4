import { release } from "node:os";
import { CattlegridError } from "../../errors/error.ts";
import { readDistribution, translateInstall } from "../../platform/system-packages.ts";
import type { Paths } from "../../platform/paths.ts";
import type { DoctorProbe } from "../../protocol/doctor.ts";
import type { Api } from "../api.ts";
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
async function probe({ api, caller }: VerbContext): Promise<readonly DoctorProbe[]> {
  const platform = probePlatform();
  if (platform.status === "missing") return [platform];
  const rows = [platform, ...(await probeDaemon(api, caller.paths))];
  const { tool } = readDistribution();
  const inspect = `tail -n 40 ${quoteWord(caller.paths.logFile)}`;
  return rows.map(({ remedy, ...row }) => {
    if (row.status === "ok") return row;
    const isRoot = caller.uid === 0;
    return { ...row, remedy: translateInstall(remedy ?? inspect, { tool, isRoot }) };
  });
}

async function probeDaemon(api: Api, { logFile }: Paths): Promise<readonly DoctorProbe[]> {
  try {
    const { probes } = await api.get<{ probes: readonly DoctorProbe[] }>("/v1/doctor");
    return [
      { name: "daemon", status: "ok", detail: `it runs and answers; its log is ${logFile}` },
      ...probes,
    ];
  } catch (error) {
    if (!CattlegridError.is(error) || error.code === "INTERRUPTED") throw error;
    const detail = `${error.message} (${error.code})`;
    const command = /`([^`]+)`/.exec(error.hint)?.[1];
    const remedy = command ?? "cattlegrid daemon start --foreground";
    return [{ name: "daemon", status: "missing", detail, remedy }];
  }
}

function probePlatform(): DoctorProbe {
  const own = `${process.platform} ${process.arch}, kernel ${release()}, Node.js ${process.versions.node}`;
  if (process.platform === "linux") {
    return { name: "platform", status: "ok", detail: `${readDistribution().name}, ${own}` };
  }
  const remedy =
    "ssh YOU@A-LINUX-MACHINE, and run Cattlegrid there; on this machine a Linux virtual machine does " +
    "(WSL2 on Windows, Lima or another on macOS). Providers that need no Linux here are planned (docs/install.md).";
  const detail = `${own}: the local provider isolates with Linux namespaces, which are not here`;
  return { name: "platform", status: "missing", detail, remedy };
}

function quoteWord(word: string): string {
  return /^[\w./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
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
