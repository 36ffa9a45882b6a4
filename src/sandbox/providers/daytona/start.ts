import { CattlegridError } from "../../../errors/error.ts";
import type { Logger } from "../../../platform/logger.ts";
import type { SandboxSpecification } from "../../provider.ts";
import type { ApiClient } from "./api-client.ts";
import { prepareGuest } from "./guest.ts";
import { checkNetwork, networkOf, type Network } from "./network.ts";
import { DaytonaSandbox } from "./sandbox.ts";
import type { ControlApi, CreateWish } from "./control-api.ts";
import type { Description } from "./description.ts";
import type { DaytonaSettings } from "./settings.ts";
import { Toolbox } from "./toolbox.ts";

/**
 * The lease: what nobody renews is stopped after a quarter of an hour, and deleted three days after that, which a machine
 * that is switched off over a weekend survives.
 */
export const STOP_MINUTES = 15;
export const DELETE_MINUTES = 3 * 24 * 60;
/** One that was stopped in good order is somebody's. */
export const KEPT_MINUTES = 30 * 24 * 60;

const STOP_TIMEOUT_MS = 5 * 60_000;
const GIB = 2 ** 30;

export interface StartContext {
  client: ApiClient;
  service: ControlApi;
  settings: DaytonaSettings;
  /** The name by which the service knows it, and finds it again. */
  name: string;
  labels: Readonly<Record<string, string>>;
  /** Called before the service is told to make it. */
  onTold(): void;
  logger: Logger;
}

/** Makes the sandbox at the service, or finds it there, and puts our program into it. */
export async function startSandbox(
  context: StartContext,
  specification: SandboxSpecification,
  signal: AbortSignal,
): Promise<DaytonaSandbox> {
  const { client, service, logger } = context;
  const { startMs, renewMs } = client.patience;
  const network = networkOf(specification.addresses ?? { reach: "nothing" });
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(startMs)]);
  let made: Obtained | undefined;
  try {
    made = await obtain(context, specification, { network, signal: deadline });
    const { found } = made;
    const started = await bringUp(context, found, { network, signal: deadline });
    const toolbox = new Toolbox(client, await toolboxBase(context, started, deadline));
    const { home, ...guest } = await prepareGuest(toolbox, specification, deadline);
    signal.throwIfAborted();
    return new DaytonaSandbox({
      id: specification.id,
      remoteId: started.id,
      home,
      service,
      facts: factsOf(context, started, network),
      target: { toolbox, logger, ...guest },
      logger,
      renewMs,
      dispose: () => settle(context, started.id),
    });
  } catch (error) {
    // What was made for this start alone goes; what was there before is only stopped.
    if (made !== undefined) {
      await (made.isNew ? discard(context, made.found.id) : settle(context, made.found.id));
    }
    if (deadline.aborted && !signal.aborted) throw late(startMs, error);
    throw error;
  }
}

interface Wanted {
  network: Network;
  signal: AbortSignal;
}

interface Obtained {
  found: Description;
  /** Whether it was made for this start. */
  isNew: boolean;
}

/** SECURITY: what bears the name and not our labels is somebody else's. */
async function obtain(
  { service, settings, name, labels, onTold }: StartContext,
  { limits }: SandboxSpecification,
  { network, signal }: Wanted,
): Promise<Obtained> {
  const before = await service.find(name, signal);
  onTold();
  if (before !== undefined) return { found: checkOwn(before, labels), isNew: false };
  const wish: CreateWish = {
    name,
    labels,
    ...settings,
    resources: resourcesOf(limits, settings),
    network,
    autoStopMinutes: STOP_MINUTES,
    autoDeleteMinutes: DELETE_MINUTES,
  };
  try {
    return { found: await service.create(wish, signal), isNew: true };
  } catch (error) {
    // An answer that was lost on its way is no sandbox that was not made.
    const own = await findAfterFailure(service, name);
    if (own === undefined) throw error;
    const found = checkOwn(own, labels);
    if (!signal.aborted) return { found, isNew: true };
    await service.remove(found.id, AbortSignal.timeout(STOP_TIMEOUT_MS));
    throw error;
  }
}

async function findAfterFailure(
  service: ControlApi,
  name: string,
): Promise<Description | undefined> {
  try {
    return await service.find(name, AbortSignal.timeout(STOP_TIMEOUT_MS));
  } catch (error) {
    // The reaper looks for it by its labels.
    if (CattlegridError.is(error)) return undefined;
    throw error;
  }
}

function checkOwn(found: Description, labels: Readonly<Record<string, string>>): Description {
  if (Object.entries(labels).every(([name, value]) => found.labels[name] === value)) return found;
  const message = `Daytona has a sandbox ${found.name} that is not of this installation.`;
  throw new CattlegridError("NAME_IN_USE", message);
}

/** SECURITY: what it may reach is settled before anything of ours is in it, and read back. */
async function bringUp(
  { service }: StartContext,
  found: Description,
  { network, signal }: Wanted,
): Promise<Description> {
  const { id } = found;
  const settled = await leaveTransition(service, found, signal);
  if (settled.state === "stopped" || settled.state === "archived") await service.start(id, signal);
  const started = await service.reach("started", id, signal);
  const limited = isAsWanted(network, started)
    ? started
    : await service.setNetwork(id, network, signal);
  checkNetwork(network, limited);
  await service.deleteAfter(id, DELETE_MINUTES, signal);
  await service.renew(id, signal);
  return started;
}

async function leaveTransition(
  service: ControlApi,
  found: Description,
  signal: AbortSignal,
): Promise<Description> {
  if (found.state === "stopping") return service.reach("stopped", found.id, signal);
  if (found.state === "archiving") return service.reach("archived", found.id, signal);
  return found;
}

function isAsWanted(network: Network, found: Description): boolean {
  try {
    checkNetwork(network, found);
    return true;
  } catch (error) {
    if (CattlegridError.is(error, "EGRESS_UNAVAILABLE")) return false;
    throw error;
  }
}

function resourcesOf(
  { cpus, memoryBytes }: SandboxSpecification["limits"],
  { image }: DaytonaSettings,
): { cpu?: number; memory?: number } {
  if (cpus === undefined && memoryBytes === undefined) return {};
  const memory = memoryBytes === undefined ? undefined : memoryBytes / GIB;
  if (image !== undefined && isWhole(cpus) && isWhole(memory)) {
    return {
      ...(cpus === undefined ? {} : { cpu: cpus }),
      ...(memory === undefined ? {} : { memory }),
    };
  }
  const why =
    image === undefined ? "a snapshot has its own" : "they are whole numbers of CPUs and GiB";
  throw new CattlegridError("LIMITS_UNAVAILABLE", `Daytona cannot be given these limits: ${why}.`, {
    hint: "Leave out --cpus and --memory, or name an image with CATTLEGRID_DAYTONA_IMAGE and whole numbers.",
  });
}

function isWhole(value: number | undefined): boolean {
  return value === undefined || (Number.isInteger(value) && value > 0);
}

/** SECURITY: the key goes there too, so it is as well encrypted as the API itself. */
async function toolboxBase(
  { service, settings }: StartContext,
  found: Description,
  signal: AbortSignal,
): Promise<string> {
  const url = new URL(await service.toolboxUrl(found, signal));
  if (url.protocol === "https:" || settings.url.startsWith("http:")) {
    return `${url.href.replace(/\/+$/, "")}/${found.id}`;
  }
  throw new CattlegridError(
    "PROVIDER_FAILED",
    `Daytona's toolbox at ${url.origin} is not encrypted.`,
  );
}

function factsOf(
  { name }: StartContext,
  found: Description,
  network: Network,
): Record<string, unknown> {
  return {
    daytona: {
      id: found.id,
      name,
      region: found.target ?? null,
      snapshot: found.snapshot ?? null,
      class: found.sandboxClass ?? null,
      cpus: found.cpu ?? null,
      memoryGib: found.memory ?? null,
      diskGib: found.disk ?? null,
    },
    network,
    lease: { stopMinutes: STOP_MINUTES, deleteMinutes: DELETE_MINUTES },
    notProtected: [
      "nothing records what leaves: no gateway of ours is in between",
      "the isolation is what Daytona states",
    ],
  };
}

/** Leaves it stopped, with its disk. What fails is for the service's own clock, and for the reaper. */
export async function settle({ service, logger }: StartContext, id: string): Promise<void> {
  const signal = AbortSignal.timeout(STOP_TIMEOUT_MS);
  try {
    if ((await service.find(id, signal)) === undefined) return;
    await service.stop(id, signal);
    await service.reach("stopped", id, signal);
    await service.deleteAfter(id, KEPT_MINUTES, signal);
  } catch (error) {
    logger.warn("a sandbox could not be stopped at Daytona", { id, error });
  }
}

async function discard({ service, logger }: StartContext, id: string): Promise<void> {
  try {
    await service.remove(id, AbortSignal.timeout(STOP_TIMEOUT_MS));
  } catch (error) {
    logger.warn("a sandbox could not be deleted at Daytona", { id, error });
  }
}

function late(startMs: number, error: unknown): CattlegridError {
  const seconds = Math.round(startMs / 1000);
  const message = `Daytona did not start the sandbox within ${seconds} seconds.`;
  return new CattlegridError("TIMED_OUT", message, { cause: error });
}
