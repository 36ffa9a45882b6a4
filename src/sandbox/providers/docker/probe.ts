import { asCattlegridError } from "../../../errors/error.ts";
import { tryWorkspace } from "../../guest/trial.ts";
import type { Isolation, Probe, SandboxProvider } from "../../provider.ts";
import { remedyOf } from "../../remedy.ts";
import type { Engine, Labels } from "./engine/engine.ts";
import { findUnusual, list, requireContents } from "./images/image-contents.ts";
import { buildCommand, checkImage } from "./images/image.ts";

export interface ProbeContext {
  stateDirectory: string;
  engine: Engine;
  image: string;
  /** Of whatever is made to look at the image. */
  labels: Labels;
  provider: SandboxProvider;
  signal: AbortSignal;
}

type Finding = Omit<Probe, "name">;
type Check = (context: ProbeContext) => Promise<Finding>;

/** Each needs the ones before it. */
const NEEDED: readonly { name: string; check: Check }[] = [
  { name: "Docker engine", check: checkEngine },
  { name: "image", check: checkOwnImage },
  { name: "sandbox", check: checkSandbox },
  { name: "cpu, memory and process limits", check: checkLimits },
];

/** Tries what a sandbox needs, up to the first that is missing. */
export async function probeEngine(context: ProbeContext): Promise<readonly Probe[]> {
  const probes: Probe[] = [];
  for (const { name, check } of NEEDED) {
    context.signal.throwIfAborted();
    const finding = await performed(check, context);
    probes.push({ name, ...finding });
    if (finding.status === "missing") break;
  }
  return probes;
}

async function performed(check: Check, context: ProbeContext): Promise<Finding> {
  try {
    return await check(context);
  } catch (error) {
    const { message, hint } = asCattlegridError(error);
    const remedy = remedyOf(hint);
    return { status: "missing", detail: message, ...(remedy === undefined ? {} : { remedy }) };
  }
}

async function checkEngine({ engine, signal }: ProbeContext): Promise<Finding> {
  const { ServerVersion, OperatingSystem } = await engine.inspectEngine(signal);
  return {
    status: "ok",
    detail: `${ServerVersion} on ${OperatingSystem}, at ${engine.socketPath}`,
  };
}

async function checkOwnImage(context: ProbeContext): Promise<Finding> {
  const { engine, image, labels, signal } = context;
  const { Id } = await checkImage(engine, image, signal);
  const place = { engine, image: Id, labels, signal };
  await requireContents(place, image);
  const detail = `${image} (${Id.replace("sha256:", "").slice(0, 12)})`;
  const lacking = await findUnusual(place);
  if (lacking.length === 0) return { status: "ok", detail };
  return {
    status: "degraded",
    detail: `${detail} has no ${list(lacking)}: agents that are installed with them cannot be`,
    remedy: buildCommand(),
  };
}

/** With a workspace, as that is what some engines cannot mount. */
async function checkSandbox(context: ProbeContext): Promise<Finding> {
  const { isolation } = await context.provider.capabilities(context.signal);
  const details: string[] = [];
  for (const grade of isolation) {
    const finding = await checkGrade(context, grade);
    if (finding.status !== "ok") return finding;
    details.push(`${grade}: ${finding.detail}`);
  }
  return { status: "ok", detail: details.join("; ") };
}

function checkGrade(context: ProbeContext, isolation: Isolation): Promise<Finding> {
  return tryWorkspace(
    { ...context, isolation },
    ({ facts }) =>
      `a sandbox started and wrote to its workspace; egress ${String(facts["egress"])}`,
  );
}

async function checkLimits({ provider, signal }: ProbeContext): Promise<Finding> {
  const { limits } = await provider.capabilities(signal);
  const missing = provider.declared.limits.filter((limit) => !limits.includes(limit));
  if (missing.length === 0) return { status: "ok", detail: "the engine holds all of them" };
  const detail = `the engine holds no limit of ${missing.join(", ")}`;
  return { status: "degraded", detail, remedy: "docker info" };
}
