import { checkRegion, grantNetwork, type Account } from "./account.ts";
import { checkQuota, type Quota } from "./quota.ts";
import { Refusal } from "./refusal.ts";
import { FakeSandbox, type Resources } from "./sandbox.ts";
import { checkRequest, type SandboxRequest } from "./sandbox-request.ts";
import { DEFAULT_SNAPSHOT, type Snapshots } from "./snapshots.ts";

export interface AdmissionOptions {
  account: Account;
  quota: Quota;
  snapshots: Snapshots;
  now: () => number;
}

const DEFAULT_RESOURCES: Resources = { cpu: 1, memory: 1, disk: 3 };

/** Makes the sandbox that a request asks for, or throws why the organisation does not get it. */
export function admit(
  asked: Partial<SandboxRequest>,
  others: readonly FakeSandbox[],
  { account, quota, snapshots, now }: AdmissionOptions,
): FakeSandbox {
  checkRequest(asked);
  checkRegion(account, asked.target);
  if (asked.name !== undefined && others.some(({ name }) => name === asked.name)) {
    throw new Refusal(["api", 409], `Sandbox with name ${asked.name} already exists`);
  }
  const isBuilt = asked.buildInfo !== undefined;
  const snapshot = isBuilt ? undefined : snapshots.forSandbox(asked.snapshot ?? DEFAULT_SNAPSHOT);
  const resources = { ...DEFAULT_RESOURCES, ...snapshot?.resources, ...resourcesOf(asked) };
  checkQuota(quota, resources, others);
  return new FakeSandbox({
    request: asked,
    network: grantNetwork(account, asked),
    snapshot: snapshot?.name,
    resources,
    now: now(),
  });
}

function resourcesOf({ cpu, memory, disk }: Partial<SandboxRequest>): Partial<Resources> {
  return withoutUndefined({ cpu, memory, disk });
}

/** Without the fields that are undefined, which would hide a default. */
export function withoutUndefined<T extends object>(
  value: T,
): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const entries = Object.entries(value).filter(([, each]) => each !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]?: Exclude<T[K], undefined> };
}
