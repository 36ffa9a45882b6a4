import type { DatabaseSync, SQLInputValue, SQLOutputValue } from "node:sqlite";
import type { SandboxCreate, SandboxStatus } from "../protocol/sandbox.ts";
import type { ResolvedTemplate } from "../protocol/template.ts";
import type { ParameterValue } from "../protocol/template-choice.ts";
import type { PlacedFiles } from "../sandbox/configuration/home-plan.ts";
import type { Lifetime } from "../sandbox/life/lifetime.ts";
import type { Egress, Isolation, SandboxBase, WorkspaceMode } from "../sandbox/provider.ts";
import type { KeptTemplate } from "../template/content.ts";
import { typed } from "./database.ts";

/** What is fixed when a sandbox is created. Holds no secret: it lies on disk as it is. */
export interface StoredSpecification {
  workspace: { path: string; mode: WorkspaceMode; files?: "copied" } | null;
  /** Of a copied workspace: patterns of files that are sent though git does not track them. */
  include?: readonly string[];
  /** Mode `clone`: where its work goes. */
  clone?: StoredClone;
  isolation: Isolation;
  /** As its provider stated it. Absent in rows of an earlier version: enforced. */
  egress?: Egress;
  /** Absent: the version its adapter names, or the newest. */
  agentVersion?: string;
  environment: Readonly<Record<string, string>>;
  /** Variables of the agent's, each with the name of the secret that it takes. */
  bindings?: Readonly<Record<string, string>>;
  policy: { preset: string; file?: { path: string; text: string } };
  /** Of the agent's service; absent: its default. */
  regions?: readonly string[];
  allow: readonly string[];
  deny: readonly string[];
  limits: NonNullable<SandboxCreate["limits"]>;
  toolchains: readonly string[];
  gitIdentity?: NonNullable<SandboxCreate["gitIdentity"]>;
  mirrors: NonNullable<SandboxCreate["mirrors"]> | null;
  removeAfterSession: boolean;
  /** Whose sign-in it gets; absent: the default profile's. */
  loginProfile?: string;
  /** Absent in rows of an earlier version. */
  lifetime?: Lifetime;
  origins?: Readonly<Record<string, string>>;
  /** What of the template the last start put into the home. */
  placed?: PlacedFiles;
  /** Relative to the workspace: paths that the user lifted out of protection and quarantine. */
  unprotected?: readonly string[];
  /** As it counted when the sandbox was made, or its parameters were last changed. */
  template?: ResolvedTemplate;
  /** Of a sandbox that was made from a template: what it is made of anew, with other parameters or from a newer text. */
  making?: TemplateMaking;
  /** Of the last start, and what was restored from quarantine since. */
  protectedPaths: readonly string[];
  layers: readonly string[];
  /** The root file system that it stands on, from its first start on; absent: the provider's own. */
  base?: SandboxBase;
}

export interface TemplateMaking {
  template: KeptTemplate;
  /** What was asked for beside it. */
  request: SandboxCreate;
  /** Values of mutable parameters that count from the next start on. */
  next?: Readonly<Record<string, ParameterValue>>;
}

export interface StoredClone {
  /** The user's branch that the work is fetched to. */
  branch: string;
  /** The commit that the clone began at. */
  base: string;
  /** The commit that the branch was last moved to, and that beside it which waits for approval. */
  fetched: string | null;
  held: string | null;
  /** Object of each path as somebody approved it. */
  approved: Readonly<Record<string, string>>;
}

export interface SandboxRow {
  id: string;
  owner: string;
  name: string;
  agent: string;
  provider: string;
  ephemeral: boolean;
  specification: StoredSpecification;
  status: SandboxStatus;
  statusReason?: string;
  createdAt: string;
  startedAt?: string;
  /** When it ran last. */
  stoppedAt?: string;
}

export type SandboxChange = Partial<
  Pick<SandboxRow, "status" | "startedAt" | "stoppedAt" | "specification">
> & {
  statusReason?: string | null;
};

/** What is absent does not matter. */
export interface WorkspaceSandbox {
  agent?: string | undefined;
  workspace: string | null;
  /** The name of the one it was made from. */
  template?: string | undefined;
}

export interface SandboxRepository {
  /** Resolves to false, and changes nothing, when the owner already has one of this name. */
  insert(row: SandboxRow): Promise<boolean>;
  get(id: string): Promise<SandboxRow | undefined>;
  getByName(owner: string, name: string): Promise<SandboxRow | undefined>;
  /** The oldest; where no template is named, those without one come first. */
  findByWorkspace(owner: string, wanted: WorkspaceSandbox): Promise<SandboxRow | undefined>;
  list(owner?: string): Promise<readonly SandboxRow[]>;
  update(id: string, change: SandboxChange): Promise<void>;
  remove(id: string): Promise<void>;
  /** It is ephemeral no more. */
  keep(id: string): Promise<void>;
  /**
   * Gives the name of `oldId` to `newId`, for good. The old one is ephemeral from then on, so that whatever happens next
   * somebody removes it, and the new one is not.
   */
  replace(oldId: string, newId: string): Promise<void>;
}

const COLUMNS = `id, owner, name, agent, provider, workspace, ephemeral, specification,
  status, status_reason, created_at, started_at, stopped_at`;

/** Empty for none. */
const TEMPLATE = "coalesce(json_extract(specification, '$.template.name'), '')";

export function createSandboxRepository(database: DatabaseSync, path: string): SandboxRepository {
  const all = (where: string, ...values: SQLInputValue[]): SandboxRow[] =>
    typed(path, () => {
      const statement = database.prepare(`SELECT ${COLUMNS} FROM sandboxes ${where}`);
      return statement.all(...values).map(readRow);
    });
  const insert = database.prepare(
    `INSERT INTO sandboxes (${COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)
     ON CONFLICT (owner, name) DO NOTHING`,
  );
  const update = database.prepare(
    `UPDATE sandboxes SET status = ?, status_reason = ?, started_at = ?, stopped_at = ?,
     specification = ? WHERE id = ?`,
  );
  const remove = database.prepare("DELETE FROM sandboxes WHERE id = ?");
  const keep = database.prepare("UPDATE sandboxes SET ephemeral = 0 WHERE id = ?");
  return {
    insert: async (row) => typed(path, () => insert.run(...writeRow(row)).changes === 1),
    get: async (id) => all("WHERE id = ?", id)[0],
    getByName: async (owner, name) => all("WHERE owner = ? AND name = ?", owner, name)[0],
    findByWorkspace: async (owner, { agent, workspace, template }) =>
      all(
        `WHERE owner = ? AND agent = coalesce(?, agent) AND workspace IS ? AND ephemeral = 0
         AND ${TEMPLATE} = coalesce(?, ${TEMPLATE})
         ORDER BY ${TEMPLATE} <> '', created_at, rowid LIMIT 1`,
        owner,
        agent ?? null,
        workspace,
        template ?? null,
      )[0],
    list: async (owner) =>
      owner === undefined
        ? all("ORDER BY created_at, rowid")
        : all("WHERE owner = ? ORDER BY created_at, rowid", owner),
    async update(id, change) {
      const row = all("WHERE id = ?", id)[0];
      if (row === undefined) return;
      const { statusReason, ...rest } = change;
      const next: SandboxRow = { ...row, ...rest };
      const reason = statusReason === undefined ? row.statusReason : statusReason;
      const specification = JSON.stringify(next.specification);
      const times = [next.startedAt ?? null, next.stoppedAt ?? null];
      const values = [next.status, reason ?? null, ...times, specification, id];
      typed(path, () => update.run(...values));
    },
    async remove(id) {
      typed(path, () => remove.run(id));
    },
    async keep(id) {
      typed(path, () => keep.run(id));
    },
    async replace(oldId, newId) {
      const old = all("WHERE id = ?", oldId)[0];
      if (old !== undefined) typed(path, () => replace(database, old, newId));
    },
  };
}

/** In one transaction: at no moment do two have the name, or none. */
function replace(database: DatabaseSync, old: SandboxRow, newId: string): void {
  const rename = database.prepare("UPDATE sandboxes SET name = ?, ephemeral = ? WHERE id = ?");
  database.exec("BEGIN");
  try {
    rename.run(`${old.name.slice(0, 40)}-old-${old.id.slice(0, 8)}`, 1, old.id);
    rename.run(old.name, 0, newId);
    database.exec("COMMIT");
  } catch (error) {
    database.exec("ROLLBACK");
    throw error;
  }
}

function writeRow(row: SandboxRow): SQLInputValue[] {
  return [
    row.id,
    row.owner,
    row.name,
    row.agent,
    row.provider,
    row.specification.workspace?.path ?? null,
    row.ephemeral ? 1 : 0,
    JSON.stringify(row.specification),
    row.status,
    row.statusReason ?? null,
    row.createdAt,
    row.startedAt ?? null,
    row.stoppedAt ?? null,
  ];
}

function readRow(row: Record<string, SQLOutputValue>): SandboxRow {
  const reason = row["status_reason"];
  const startedAt = row["started_at"];
  const stoppedAt = row["stopped_at"];
  return {
    id: String(row["id"]),
    owner: String(row["owner"]),
    name: String(row["name"]),
    agent: String(row["agent"]),
    provider: String(row["provider"]),
    ephemeral: row["ephemeral"] === 1,
    specification: JSON.parse(String(row["specification"])) as StoredSpecification,
    status: String(row["status"]) as SandboxStatus,
    ...(typeof reason === "string" ? { statusReason: reason } : {}),
    createdAt: String(row["created_at"]),
    ...(typeof startedAt === "string" ? { startedAt } : {}),
    ...(typeof stoppedAt === "string" ? { stoppedAt } : {}),
  };
}
