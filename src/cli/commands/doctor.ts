import { release } from "node:os";
import { CattlegridError } from "../../errors/error.ts";
import { readDistribution, translateInstall } from "../../platform/system-packages.ts";
import type { Paths } from "../../platform/paths.ts";
import type { DoctorProbe, DoctorReport, ProviderHealth } from "../../protocol/doctor.ts";
import type { Api } from "../api.ts";
import { JSON_FLAG } from "../creation/creation-flags.ts";
import { makePrintable } from "../output/error-text.ts";
import { giveAllSettings } from "../creation/provider-settings.ts";
import type { Sources } from "../creation/provider-statement.ts";
import { readSettings } from "../settings.ts";
import { defineVerb, type VerbContext } from "../verb.ts";

export const DOCTOR = defineVerb({
  verb: "doctor",
  usage: "[--json]",
  description:
    "Tries everything that sandboxes need of this machine, with every sandbox provider, and names the remedy for what\n" +
    "is missing. Ends with 1 when sandboxes of the default provider cannot run here.",
  example: "cattlegrid doctor",
  operands: { min: 0, max: 0, names: "" },
  trailing: "none",
  flags: JSON_FLAG,
  async run({ flags }, context) {
    const { probes, providers } = await examine(context);
    const canRun = probes.every(({ status }) => status !== "missing");
    const { output } = context.caller;
    if (flags.json)
      output.write(`${JSON.stringify({ canRun, probes, providers }, undefined, 2)}\n`);
    else output.write(renderProbes(probes) + providers.map(renderOther).join(""));
    return canRun ? 0 : 1;
  },
});

interface Examination {
  /** What sandboxes need that are made without a word about the provider. */
  probes: readonly DoctorProbe[];
  /** The others, which need not be usable. */
  providers: readonly ProviderHealth[];
}

/** What keeps the daemon from starting is the first thing to know, so it is a row and no failure. */
async function examine({ api, caller }: VerbContext): Promise<Examination> {
  const platform = probePlatform();
  if (platform.status === "missing") return { probes: [platform], providers: [] };
  const settings = await readSettings(caller);
  const { flags, origins } = settings;
  const { provider: id } = flags;
  const wanted = id === undefined ? undefined : { id, origin: origins["provider"] ?? "--provider" };
  const found = await askDaemon(api, {
    wanted,
    paths: caller.paths,
    sources: { environment: caller.environment, settings },
  });
  const { tool } = readDistribution();
  const inspect = `tail -n 40 ${quoteWord(caller.paths.logFile)}`;
  const isRoot = caller.uid === 0;
  const withRemedy = ({ remedy, ...row }: DoctorProbe): DoctorProbe =>
    row.status === "ok"
      ? row
      : { ...row, remedy: translateInstall(remedy ?? inspect, { tool, isRoot }) };
  return {
    probes: [platform, ...found.probes].map(withRemedy),
    providers: found.providers.map((each) => ({ ...each, probes: each.probes.map(withRemedy) })),
  };
}

interface WantedProvider {
  id: string;
  /** Where that was said: a variable, or a file and line. */
  origin: string;
}

interface Question {
  /** The provider that the caller's settings make the default. */
  wanted: WantedProvider | undefined;
  paths: Paths;
  sources: Sources;
}

async function askDaemon(
  api: Api,
  { wanted, paths: { logFile }, sources }: Question,
): Promise<Examination> {
  try {
    const wrong = await giveAllSettings(api, sources);
    const report = addWrong(await api.get<DoctorReport>("/v1/doctor"), wrong);
    const detail = `it runs and answers; its log is ${logFile}`;
    const daemon: DoctorProbe = { name: "daemon", status: "ok", detail };
    const { probes, providers } = chooseDefault(report, wanted);
    return { probes: [daemon, ...probes], providers };
  } catch (error) {
    if (!CattlegridError.is(error) || error.code === "INTERRUPTED") throw error;
    const detail = `${error.message} (${error.code})`;
    const command = /`([^`]+)`/.exec(error.hint)?.[1];
    const remedy = command ?? "cattlegrid daemon start --foreground";
    return { probes: [{ name: "daemon", status: "missing", detail, remedy }], providers: [] };
  }
}

/** A provider that was not told what the caller says was tried with something else, which says nothing here. */
export function addWrong(
  report: DoctorReport,
  wrong: ReadonlyMap<string, CattlegridError>,
): DoctorReport {
  const [standard, ...others] = report.providers ?? [];
  if (standard === undefined || wrong.size === 0) return report;
  const providers = [standard, ...others].map((provider): ProviderHealth => {
    const error = wrong.get(provider.id);
    if (error === undefined) return provider;
    const { code, message, hint } = error;
    const detail = `${message} (${code})`;
    const probe: DoctorProbe = { name: "settings", status: "missing", detail, remedy: hint };
    return { id: provider.id, status: "missing", probes: [probe] };
  });
  const own = providers[0]?.probes ?? [];
  return { ...report, providers, probes: [...own, ...report.probes.slice(standard.probes.length)] };
}

/** An older daemon tells of its one provider alone. */
export function chooseDefault(
  { probes, providers = [] }: DoctorReport,
  wanted: WantedProvider | undefined,
): Examination {
  const [standard, ...others] = providers;
  if (standard === undefined) return { probes, providers: [] };
  if (wanted === undefined || wanted.id === standard.id) return { probes, providers: others };
  const common = probes.slice(standard.probes.length);
  const chosen = others.find(({ id }) => id === wanted.id);
  const rest = providers.filter(({ id }) => id !== wanted.id);
  if (chosen !== undefined) return { probes: [...chosen.probes, ...common], providers: rest };
  const names = providers.map(({ id }) => id).join(" or ");
  const { id, origin } = wanted;
  const unknown: DoctorProbe = {
    name: "provider",
    status: "missing",
    detail: `${origin} names the sandbox provider ${id}, and there is ${names}`,
    remedy: origin.startsWith("CATTLEGRID_")
      ? `unset ${origin}`
      : `\${EDITOR:-vi} ${quoteWord(origin.replace(/:\d+$/, ""))}`,
  };
  return { probes: [unknown, ...common], providers };
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

const USES = {
  ok: "can be used here",
  degraded: "can be used here, with less than it could have",
  missing: "cannot be used here, which is no matter unless you want it",
} as const;

/** A provider beside the default. */
export function renderOther({ id, status, probes }: ProviderHealth): string {
  const heading = makePrintable(`--provider ${id} ${USES[status]}:`);
  return `\n${heading}\n${renderProbes(probes)}`;
}

export function renderProbes(probes: readonly DoctorProbe[]): string {
  const width = Math.max(...probes.map(({ name }) => name.length));
  const lines = probes.flatMap(({ name, status, detail, remedy }) => [
    `${MARKS[status].padEnd(7)}  ${name.padEnd(width)}  ${detail}`,
    ...(remedy === undefined ? [] : [`${" ".repeat(width + 11)}remedy: ${remedy}`]),
  ]);
  return `${lines.map(makePrintable).join("\n")}\n`;
}
