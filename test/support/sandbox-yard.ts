import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { SILENT_LOGGER } from "../../src/platform/logger.ts";
import type { SandboxCreate } from "../../src/protocol/sandbox.ts";
import { LayerUse } from "../../src/sandbox/upkeep/layer-use.ts";
import { createGatewayGates } from "../../src/sandbox/egress/gateway-gates.ts";
import { createSandboxes } from "../../src/sandbox/live-sandboxes.ts";
import type { Sandboxes, SandboxesOptions } from "../../src/sandbox/sandboxes.ts";
import type { Logins } from "../../src/session/sign-in/logins.ts";
import type { TemplateLayers } from "../../src/session/template-layers.ts";
import { createTerminals, type Terminals } from "../../src/sandbox/terminals.ts";
import { openStore, type Store } from "../../src/store/store.ts";
import { createSecrets, type Secrets } from "../../src/secret/secrets.ts";
import { createHostKeys } from "../../src/sandbox/ports/host-keys.ts";
import { TEMPLATE_FILE } from "../../src/template/places.ts";
import { createTemplates, type Templates } from "../../src/template/templates.ts";
import { createKeyFile } from "../../src/vault/key-file.ts";
import { createVault, type Vault } from "../../src/vault/vault.ts";
import { createProcessProvider, type ProcessProvider } from "./process-provider.ts";
import { ProviderSettings } from "../../src/sandbox/provider-settings.ts";
import { createSmallAgents } from "./small-agents.ts";

export const OWNER = "local:7";

/** The sandboxes of one engine over the process provider, in a directory of their own. */
export class SandboxYard {
  readonly root: string;
  readonly workspace: string;
  readonly provider: ProcessProvider;
  readonly store: Store;
  readonly sandboxes: Sandboxes;
  readonly terminals: Terminals;
  readonly templates: Templates;
  readonly vault: Vault;
  readonly hostKeys = createHostKeys();
  readonly secrets: Secrets;
  /** Ids of the sandboxes whose sessions were ended or lost. */
  readonly ended: string[] = [];
  readonly lost: string[] = [];
  /** What viewers were told. */
  readonly told: string[] = [];

  private constructor(
    parts: Pick<
      SandboxYard,
      "root" | "provider" | "store" | "sandboxes" | "terminals" | "templates"
    >,
  ) {
    this.root = parts.root;
    this.workspace = join(parts.root, "home/My Project");
    this.provider = parts.provider;
    this.store = parts.store;
    this.sandboxes = parts.sandboxes;
    this.terminals = parts.terminals;
    this.templates = parts.templates;
    const directory = join(parts.root, "state/vault");
    this.vault = createVault({ directory, places: [createKeyFile(join(directory, "key"))] });
    const { secretBindings: bindings } = parts.store;
    this.secrets = createSecrets({ vault: this.vault, bindings, agents: createSmallAgents() });
  }

  /** What a server over sandboxes alone stands on. */
  get engineParts(): Pick<
    SandboxYard,
    "sandboxes" | "terminals" | "templates" | "vault" | "secrets" | "hostKeys"
  > & {
    logins: Logins;
    templateLayers: TemplateLayers;
    providerSettings: ProviderSettings;
  } {
    const { sandboxes, terminals, templates, vault, secrets, hostKeys } = this;
    const key = {
      key: "key",
      variable: "SERVICE_KEY",
      summary: "a key",
      example: "{ secret: it }",
    };
    const declared = new Map([["process", [{ ...key, isSecret: true }]]]);
    const providerSettings = new ProviderSettings({ declared });
    providerSettings.bind((name) => secrets.reveal(name, AbortSignal.timeout(10_000)));
    const absent = { logins: {} as Logins, templateLayers: {} as TemplateLayers };
    const parts = { sandboxes, terminals, templates, vault, secrets, hostKeys };
    return { ...parts, ...absent, providerSettings };
  }

  static async open(
    change: Partial<SandboxesOptions> = {},
    root = realpathSync(mkdtempSync(join(tmpdir(), "cg-yard-"))),
  ): Promise<SandboxYard> {
    mkdirSync(join(root, "home/My Project"), { recursive: true });
    const provider = createProcessProvider(join(root, "provider"));
    const store = await openStore({ stateDirectory: join(root, "state") });
    const spoolDirectory = join(root, "spool");
    const terminals = createTerminals({
      spoolDirectory,
      recordingsDirectory: join(root, "recordings"),
      logger: SILENT_LOGGER,
    });
    const [ended, lost, told]: [string[], string[], string[]] = [[], [], []];
    // The vault, which knows the secrets, comes with the yard itself.
    const bound: { secrets?: Secrets } = {};
    const templates = createTemplates({
      directories: [
        { origin: "organisation", path: join(root, "organisation/templates") },
        { origin: "user", path: join(root, "state/templates") },
      ],
      approvals: store.templateApprovals,
      requireSecrets: async (bindings) => bound.secrets?.require(bindings),
    });
    const sandboxes = await createSandboxes({
      store,
      templates,
      providers: [provider],
      agents: createSmallAgents(),
      gates: createGatewayGates({
        directory: join(root, "egress"),
        authorityFile: join(root, "inspection", "authority.pem"),
        logger: SILENT_LOGGER,
      }),
      terminals,
      layersFor: async () => [],
      layerUse: new LayerUse(),
      installInside: async () => undefined,
      sessions: {
        endAll: async (id) => void ended.push(id),
        tell: (id, text) => void told.push(`${id}: ${text}`),
        isWorking: () => false,
        loseAll: async (id, reason) => void lost.push(`${id}: ${reason}`),
      },
      surroundings: {
        stateDirectory: join(root, "state"),
        runtimeDirectory: join(root, "run"),
        homeDirectory: join(root, "home"),
      },
      logger: SILENT_LOGGER,
      ...change,
    });
    const yard = new SandboxYard({ root, provider, store, sandboxes, terminals, templates });
    bound.secrets = yard.secrets;
    return Object.assign(yard, { ended, lost, told });
  }

  /** Writes the files of one template by their paths in its directory; a text alone is the template's own file. */
  writeTemplate(
    name: string,
    files: string | Record<string, string>,
    origin: "organisation" | "user" | "project" = "user",
  ): string {
    const directory = {
      organisation: join(this.root, "organisation/templates", name),
      user: join(this.root, "state/templates", name),
      project: join(this.workspace, ".cattlegrid"),
    }[origin];
    const all = typeof files === "string" ? { [TEMPLATE_FILE]: files } : files;
    for (const [path, text] of Object.entries(all)) {
      mkdirSync(dirname(join(directory, path)), { recursive: true });
      writeFileSync(join(directory, path), text);
    }
    return directory;
  }

  async make(request: SandboxCreate = {}): Promise<string> {
    const wanted = { agent: "shell", workspace: this.workspace, ...request };
    return (await this.sandboxes.create(OWNER, wanted)).sandbox.id;
  }

  async run(id: string): Promise<void> {
    await this.sandboxes.start(id, {}, { signal: new AbortController().signal });
  }

  async statusOf(id: string): Promise<string> {
    return (await this.sandboxes.get(id)).status;
  }

  async close(): Promise<void> {
    await this.terminals.close();
    await this.sandboxes.close();
    await this.store.close();
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}
