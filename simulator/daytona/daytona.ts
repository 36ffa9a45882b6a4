import type { Account } from "./account.ts";
import { ServiceClock } from "./clock.ts";
import { createEvents, type Events } from "./events.ts";
import { Faults } from "./faults.ts";
import { Listener } from "./listener.ts";
import type { Machines } from "./machine.ts";
import { TIER_1, type Quota } from "./quota.ts";
import { RequestLog } from "./request-log.ts";
import { Sandboxes } from "./sandboxes.ts";
import type { Service } from "./service.ts";
import { Snapshots } from "./snapshots.ts";

export interface FakeDaytonaOptions {
  /** Where its sandboxes' commands run. The fake disposes of none of it. */
  machines: Machines;
  /** Default: any free port of 127.0.0.1. */
  port?: number;
  /** Default `bash`, as in the slim image; `zsh` is the full image's. */
  shell?: "bash" | "zsh";
  quota?: Quota;
  /** Whether changes of state are told by Socket.IO, as the service does; without, clients poll. Default true. */
  tellsStates?: boolean;
}

/** A running simulator of Daytona's services; not Daytona. */
export interface FakeDaytona extends AsyncDisposable {
  /** The base of the API, as in `DAYTONA_API_URL`. */
  readonly url: string;
  readonly key: string;
  readonly sandboxes: Sandboxes;
  readonly snapshots: Snapshots;
  readonly faults: Faults;
  readonly clock: ServiceClock;
  readonly log: RequestLog;
  readonly events: Events;
  /** May be changed at any time. */
  readonly quota: Quota;
  readonly account: Account;
}

export const FAKE_KEY = "dtn_fake_0000000000000000000000000000000000000000";
const SWEEP_INTERVAL_MS = 1000;

/** Starts it; disposing of it deletes its sandboxes. */
export async function startFakeDaytona(options: FakeDaytonaOptions): Promise<FakeDaytona> {
  const { machines, port = 0, shell = "bash" } = options;
  const quota = structuredClone(options.quota ?? TIER_1);
  const account: Account = { regions: ["us", "eu"], networkLimits: "kept" };
  const clock = new ServiceClock(() => sandboxes.sweep());
  const snapshots = new Snapshots(clock.now());
  const [faults, events, log] = [new Faults(), createEvents(), new RequestLog()];
  const sandboxes: Sandboxes = new Sandboxes({
    machines,
    snapshots,
    quota,
    events,
    now: () => clock.now(),
    account,
    nextCreateFault: (request) => faults.nextForCreation(request),
  });
  const listener = await Listener.open(port);
  const { origin } = listener;
  const { tellsStates = true } = options;
  const parts = { sandboxes, snapshots, faults, clock, events, quota, account };
  const service: Service = { ...parts, shell, origin, tellsStates };
  listener.serve({ service, key: FAKE_KEY, log });
  const stopSweeping = keepSweeping(sandboxes);
  const dispose = once(async () => {
    stopSweeping();
    listener.close();
    await sandboxes.close();
  });
  return { ...parts, url: `${origin}/api`, key: FAKE_KEY, log, [Symbol.asyncDispose]: dispose };
}

/** What falls due by the real clock is done too, and what fails of it is told. Returns what ends it. */
function keepSweeping(sandboxes: Sandboxes): () => void {
  const sweep = (): void => {
    sandboxes.sweep().catch((error: unknown) => {
      process.stderr.write(`the fake Daytona could not do what was due: ${String(error)}\n`);
    });
  };
  const timer = setInterval(sweep, SWEEP_INTERVAL_MS);
  timer.unref();
  return () => clearInterval(timer);
}

/** Closes once, however often it is asked. */
function once(close: () => Promise<void>): () => Promise<void> {
  let closed: Promise<void> | undefined;
  return () => (closed ??= close());
}
