import type { FakeSandbox } from "./sandbox.ts";

/** What `GET /sandbox/{id}` answers. */
export function toSandboxDto(sandbox: FakeSandbox, toolboxProxyUrl: string): object {
  return {
    ...toListItem(sandbox, toolboxProxyUrl),
    env: sandbox.environment,
    volumes: sandbox.volumes,
    ...(sandbox.dockerfile === undefined ? {} : { buildInfo: buildInfoOf(sandbox) }),
  };
}

/** One of `GET /sandbox`: the same without environment, volumes and build. */
export function toListItem(sandbox: FakeSandbox, toolboxProxyUrl: string): object {
  const { network, resources, intervals, destroyAt } = sandbox;
  return {
    id: sandbox.id,
    organizationId: "fake-organization",
    name: sandbox.name,
    target: sandbox.target,
    runnerId: "fake-runner",
    sandboxClass: "container",
    state: sandbox.state,
    desiredState: sandbox.desiredState,
    snapshot: sandbox.snapshot,
    user: sandbox.user,
    errorReason: sandbox.errorReason,
    recoverable: false,
    public: sandbox.isPublic,
    ...network,
    ...resources,
    gpu: 0,
    labels: sandbox.labels,
    backupState: sandbox.state === "archived" ? "Completed" : "None",
    ...intervals,
    ...(destroyAt === undefined ? {} : { autoDestroyAt: toIso(destroyAt) }),
    createdAt: toIso(sandbox.createdAt),
    updatedAt: toIso(sandbox.updatedAt),
    lastActivityAt: toIso(sandbox.lastActivityAt),
    daemonVersion: "v0.0.0-fake",
    toolboxProxyUrl,
  };
}

function buildInfoOf(sandbox: FakeSandbox): object {
  const at = toIso(sandbox.createdAt);
  const { dockerfile: dockerfileContent, id } = sandbox;
  return { dockerfileContent, createdAt: at, updatedAt: at, snapshotRef: `fake-build-${id}` };
}

function toIso(time: number): string {
  return new Date(time).toISOString();
}
