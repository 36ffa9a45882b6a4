import { join } from "node:path";
import { openDatabase } from "./database.ts";
import { createLayerRepository, type LayerRepository } from "./layer-rows.ts";
import { createPolicyChangeRepository, type PolicyChangeRepository } from "./policy-change-rows.ts";
import { createSandboxRepository, type SandboxRepository } from "./sandbox-rows.ts";
import {
  createSecretBindingRepository,
  type SecretBindingRepository,
} from "./secret-binding-rows.ts";
import { createSessionRepository, type SessionRepository } from "./session-rows.ts";
import { createLentSignInRepository, type LentSignInRepository } from "./sign-in-rows.ts";
import {
  createTemplateApprovalRepository,
  type TemplateApprovalRepository,
} from "./template-approval-rows.ts";
import { createWarmPoolRepository, type WarmPoolRepository } from "./warm-pool-rows.ts";
import { openStateDirectory } from "../platform/state-directory.ts";

/** The state of one installation. Nothing outside this folder knows how it is kept. */
export interface Store {
  readonly installation: string;
  readonly sandboxes: SandboxRepository;
  readonly sessions: SessionRepository;
  readonly policyChanges: PolicyChangeRepository;
  readonly secretBindings: SecretBindingRepository;
  readonly lentSignIns: LentSignInRepository;
  readonly templateApprovals: TemplateApprovalRepository;
  readonly layers: LayerRepository;
  readonly warmPools: WarmPoolRepository;
  /** Gives the state directory free for another daemon. Idempotent. */
  close(): Promise<void>;
}

/**
 * Opens the state for this process alone. Throws STATE_NOT_OURS, STATE_LOCKED, STATE_TOO_NEW, STATE_CORRUPT
 * or DISK_FULL, and has then changed nothing.
 */
export async function openStore(options: { stateDirectory: string }): Promise<Store> {
  const installation = openStateDirectory(options.stateDirectory);
  const path = join(options.stateDirectory, "state.db");
  const database = openDatabase(path);
  return {
    installation,
    sandboxes: createSandboxRepository(database, path),
    sessions: createSessionRepository(database, path),
    policyChanges: createPolicyChangeRepository(database, path),
    secretBindings: createSecretBindingRepository(database, path),
    lentSignIns: createLentSignInRepository(database, path),
    templateApprovals: createTemplateApprovalRepository(database, path),
    layers: createLayerRepository(database, path),
    warmPools: createWarmPoolRepository(database, path),
    async close() {
      if (database.isOpen) database.close();
    },
  };
}
