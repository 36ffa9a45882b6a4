import { asCattlegridError } from "../../../errors/error.ts";
import type { Probe } from "../../provider.ts";
import { remedyOf } from "../../remedy.ts";
import type { ControlApi } from "./control-api.ts";
import { readKey, type DaytonaSettings, type ReadVariable } from "./settings.ts";

export interface ProbeContext {
  read: ReadVariable;
  labels: Readonly<Record<string, string>>;
  open(): Promise<{ service: ControlApi; settings: DaytonaSettings }>;
}

/** Whether there is a key, and whether the service takes it. Makes no sandbox, which would cost money. */
export async function probeDaytona(
  { read, labels, open }: ProbeContext,
  signal: AbortSignal,
): Promise<readonly Probe[]> {
  const key = await attempt("key", async () => {
    await readKey(read);
    return "given";
  });
  if (key.status !== "ok") return [key];
  const service = await attempt("service", async () => {
    const { service: asked, settings } = await open();
    const own = await asked.list(labels, signal);
    return `${settings.url}${settings.target === undefined ? "" : `, region ${settings.target}`}: ${own.length} sandboxes of this installation`;
  });
  return [key, service];
}

async function attempt(name: string, check: () => Promise<string>): Promise<Probe> {
  try {
    return { name: `Daytona ${name}`, status: "ok", detail: await check() };
  } catch (error) {
    const { message, hint } = asCattlegridError(error);
    const remedy = remedyOf(hint);
    const probe: Probe = { name: `Daytona ${name}`, status: "missing", detail: message };
    return remedy === undefined ? probe : { ...probe, remedy };
  }
}
