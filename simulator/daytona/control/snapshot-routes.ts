import { json, nothing, readJson } from "../exchange.ts";
import { Refusal } from "../refusal.ts";
import type { Snapshot } from "../snapshots.ts";
import type { ControlRoutes } from "../service.ts";

interface SnapshotRequest {
  name: string;
  imageName: string;
  cpu: number;
  memory: number;
  disk: number;
  buildInfo: { dockerfileContent: string };
}

export const SNAPSHOT_ROUTES: ControlRoutes = {
  "GET /snapshots": ({ snapshots }, { query }) => {
    const page = Number(query.get("page") ?? 1);
    const limit = Number(query.get("limit") ?? 100);
    const all = snapshots.list();
    const items = all.slice((page - 1) * limit, page * limit).map(toSnapshotDto);
    return json({ items, total: all.length, page, totalPages: Math.ceil(all.length / limit) });
  },
  "POST /snapshots": async ({ snapshots, clock }, call) => {
    const request = await readJson<SnapshotRequest>(call, "api");
    const { name, imageName, cpu = 1, memory = 1, disk = 3 } = request;
    if (name === undefined) throw new Refusal(["api", 400], "name should not be empty");
    if (request.buildInfo === undefined && !/[:@]/.test(imageName ?? "")) {
      throw new Refusal(["api", 400], "Image name must include a tag or digest");
    }
    if (imageName?.endsWith(":latest") === true) {
      throw new Refusal(["api", 400], 'Tag "latest" is not allowed');
    }
    const made = { name, imageName, resources: { cpu, memory, disk }, now: clock.now() };
    return json(toSnapshotDto(snapshots.add(made)));
  },
  "GET /snapshots/:id": ({ snapshots }, _call, { id = "" }) =>
    json(toSnapshotDto(snapshots.get(id))),
  "DELETE /snapshots/:id": ({ snapshots }, _call, { id = "" }) => {
    snapshots.remove(id);
    return nothing(200);
  },
  "POST /snapshots/:id/activate": ({ snapshots }, _call, { id = "" }) => {
    const snapshot = snapshots.get(id);
    snapshot.state = "active";
    return json(toSnapshotDto(snapshot));
  },
  "POST /snapshots/:id/deactivate": ({ snapshots }, _call, { id = "" }) => {
    snapshots.get(id).state = "inactive";
    return nothing();
  },
};

function toSnapshotDto(snapshot: Snapshot): object {
  const { id, name, state, imageName, resources, errorReason = null } = snapshot;
  const at = new Date(snapshot.createdAt).toISOString();
  return {
    id,
    organizationId: "fake-organization",
    general: snapshot.isGeneral,
    name,
    imageName,
    state,
    size: snapshot.files === undefined ? null : snapshot.files.length / 2 ** 30,
    entrypoint: [],
    cpu: resources.cpu,
    gpu: 0,
    mem: resources.memory,
    disk: resources.disk,
    errorReason,
    createdAt: at,
    updatedAt: at,
    lastUsedAt: null,
    sourceSandboxId: null,
    sandboxClass: "container",
  };
}
