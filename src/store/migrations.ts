/**
 * Forward only: each entry takes the state from the version of its index to the next. An entry that was
 * released is never edited.
 */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE sandboxes (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    name TEXT NOT NULL,
    agent TEXT NOT NULL,
    provider TEXT NOT NULL,
    workspace TEXT,
    ephemeral INTEGER NOT NULL,
    specification TEXT NOT NULL,
    status TEXT NOT NULL,
    status_reason TEXT,
    created_at TEXT NOT NULL,
    started_at TEXT,
    UNIQUE (owner, name)
  ) STRICT;
  CREATE INDEX sandboxes_by_workspace ON sandboxes (owner, agent, workspace);
  CREATE TABLE sessions (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    sandbox_id TEXT NOT NULL REFERENCES sandboxes (id) ON DELETE CASCADE,
    agent TEXT NOT NULL,
    kind TEXT NOT NULL,
    status TEXT NOT NULL,
    turns INTEGER NOT NULL,
    conversation_id TEXT,
    exit_code INTEGER,
    created_at TEXT NOT NULL,
    ended_at TEXT
  ) STRICT;
  CREATE INDEX sessions_by_sandbox ON sessions (sandbox_id);
  `,
  `
  CREATE TABLE policy_changes (
    sandbox_id TEXT NOT NULL REFERENCES sandboxes (id) ON DELETE CASCADE,
    action TEXT NOT NULL,
    rule TEXT NOT NULL,
    reason TEXT,
    broad INTEGER NOT NULL,
    changed_at TEXT NOT NULL,
    PRIMARY KEY (sandbox_id, action, rule)
  ) STRICT;
  `,
  `ALTER TABLE sandboxes ADD COLUMN stopped_at TEXT;`,
  `
  CREATE TABLE secret_bindings (
    owner TEXT NOT NULL,
    agent TEXT NOT NULL,
    variable TEXT NOT NULL,
    secret TEXT NOT NULL,
    PRIMARY KEY (owner, agent, variable)
  ) STRICT;
  `,
  `
  CREATE TABLE lent_sign_ins (
    sandbox_id TEXT PRIMARY KEY REFERENCES sandboxes (id) ON DELETE CASCADE,
    profile TEXT NOT NULL,
    revision INTEGER NOT NULL
  ) STRICT;
  `,
  `
  CREATE TABLE template_approvals (
    owner TEXT NOT NULL,
    digest TEXT NOT NULL,
    workspace TEXT NOT NULL,
    approved_at TEXT NOT NULL,
    PRIMARY KEY (owner, digest)
  ) STRICT;
  `,
  `
  CREATE TABLE layers (
    provider TEXT NOT NULL,
    layer TEXT NOT NULL,
    template TEXT NOT NULL,
    steps TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    built_at TEXT NOT NULL,
    used_at TEXT NOT NULL,
    PRIMARY KEY (provider, layer)
  ) STRICT;
  `,
  `
  CREATE TABLE warm_pools (
    owner TEXT NOT NULL,
    template TEXT NOT NULL,
    wish TEXT NOT NULL,
    PRIMARY KEY (owner, template)
  ) STRICT;
  `,
];
