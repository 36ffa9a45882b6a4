import { z } from "zod";
import { importWishSchema } from "./imported.ts";
import { publishedPortSchema } from "./port.ts";
import { bindingsSchema } from "./secret.ts";
import { parameterValuesSchema, templateChoiceSchema } from "./template-choice.ts";

/** 2 to 63 letters, digits, hyphens and periods; begins with a letter or digit. */
export const SANDBOX_NAME = /^[A-Za-z0-9][A-Za-z0-9.-]{1,62}$/;

export const environmentSchema = z.record(
  z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/),
  z.string().refine((value) => !value.includes("\0"), "holds a NUL"),
);

export const workspaceModeSchema = z.enum(["direct", "readonly", "overlay", "clone"]);
const ISOLATIONS = ["namespaces", "container", "gvisor", "microvm", "remote"] as const;
export const isolationSchema = z.enum(ISOLATIONS);
export const egressSchema = z.enum(["enforced", "address", "cooperative", "none"]);
/** SECURITY: `none` is what a fake states, in which nothing runs; nobody can ask for it. */
export const statedIsolationSchema = z.enum(["none", ...ISOLATIONS]);

export const limitsSchema = z.strictObject({
  cpus: z.number().positive().max(1024).optional(),
  memoryBytes: z
    .int()
    .min(16 * 1024 * 1024)
    .optional(),
  pids: z.int().min(8).optional(),
});

/** Operator's redirections of allowed names, with the certificates that vouch for them. */
export const mirrorsSchema = z.strictObject({
  /** `name:port=address:port,…` as in CATTLEGRID_MIRRORS. */
  targets: z.string(),
  /** PEM text of CATTLEGRID_MIRROR_CA. */
  certificates: z.string().optional(),
});

/** Up to ten years. */
const lifetimeMsSchema = z
  .int()
  .min(100)
  .max(10 * 366 * 86_400_000);

/** SECURITY: becomes an argument of an installer and part of a directory's name. */
const AGENT_VERSION = /^\d+(\.\d+){1,3}(-[0-9A-Za-z][0-9A-Za-z.]*)?$/;

/**
 * `POST /v1/sandboxes`. Idempotent by name; without a name, by owner, agent and workspace. Values that are
 * fixed at creation and differ from the existing sandbox's are refused.
 */
export const sandboxCreateSchema = z
  .strictObject({
    name: z.string().regex(SANDBOX_NAME).optional(),
    /** Agent id; may be left out when `name` names an existing sandbox. */
    agent: z.string().optional(),
    /** Of the agent, exactly; for those that are installed by version. */
    agentVersion: z.string().regex(AGENT_VERSION).optional(),
    /** Absolute real path; null for a sandbox without a workspace. */
    workspace: z.string().nullable().optional(),
    mode: workspaceModeSchema.optional(),
    provider: z.string().optional(),
    isolation: isolationSchema.optional(),
    environment: environmentSchema.optional(),
    /** Variables of its agent, each with the name of the secret that it takes. */
    bindings: bindingsSchema.optional().meta({ "x-since": 1 }),
    policy: z
      .strictObject({
        preset: z.string().optional(),
        file: z.strictObject({ path: z.string(), text: z.string() }).optional(),
      })
      .optional(),
    /** Regions of the agent's service whose hosts policy `agent` opens; default: the agent's own choice. */
    regions: z.array(z.string()).optional().meta({ "x-since": 1 }),
    /** Whose sign-in it gets before its first session; default: the profile `default`, if there is one. */
    loginProfile: z
      .string()
      .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$/)
      .optional()
      .meta({ "x-since": 1 }),
    /** Rules in the short form of `--allow` and `--deny`. */
    allow: z.array(z.string()).optional(),
    deny: z.array(z.string()).optional(),
    limits: limitsSchema.optional(),
    /** Absolute host directories, read-only inside, their `bin` on PATH. */
    toolchains: z.array(z.string()).optional(),
    /** Paths relative to the workspace that the agent may change, and make, although the host runs them. */
    unprotect: z.array(z.string()).optional(),
    /**
     * Of a workspace that is copied: patterns, as git's, of files to send though git does not track them. A path without a wildcard
     * is sent whatever it holds.
     */
    include: z.array(z.string().min(1).max(4096)).max(1000).optional().meta({ "x-since": 1 }),
    gitIdentity: z
      .strictObject({ name: z.string().optional(), email: z.string().optional() })
      .optional(),
    mirrors: mirrorsSchema.optional(),
    /** Always a new sandbox, which lives no longer than a lease connection (`GET /{id}/lease`). */
    ephemeral: z.boolean().optional(),
    /** Removed when its first session ends (`run --rm`). */
    removeAfterSession: z.boolean().optional(),
    /** What says the rest, and what may be said beside it. */
    template: templateChoiceSchema.optional().meta({ "x-since": 1 }),
    /** From the person's own configuration of the agent, where the template's `import` names it. Absent: nothing. */
    imported: importWishSchema.optional().meta({ "x-since": 1 }),
    /** Where each value was said, by the name of its setting; for people. */
    origins: z.record(z.string().max(64), z.string().max(16_384)).optional(),
    /** Stopped after this long with nothing going on in it. */
    idleStopMs: lifetimeMsSchema.optional(),
    /** Stopped this long after it was made, and not started any more. */
    maxAgeMs: lifetimeMsSchema.optional(),
  })
  .meta({ id: "SandboxCreate" });
export type SandboxCreate = z.infer<typeof sandboxCreateSchema>;

/** `POST /v1/sandboxes/{id}/start`. */
export const sandboxStartSchema = z
  .strictObject({
    mirrors: mirrorsSchema.optional(),
    installTimeoutMs: z.int().positive().optional(),
    /** Denied names get an address, so that the record tells what is wanted of them; nothing more gets out. */
    learn: z.boolean().optional(),
  })
  .meta({ id: "SandboxStart" });
export type SandboxStart = z.infer<typeof sandboxStartSchema>;

export const sandboxStatusSchema = z.enum([
  "created",
  "starting",
  "running",
  "stopping",
  "stopped",
  "removing",
]);
export type SandboxStatus = z.infer<typeof sandboxStatusSchema>;

const stringsSchema = z.array(z.string()).readonly();

/** A sandbox as the API shows it. Holds no secret. */
export const sandboxSchema = z
  .object({
    id: z.string(),
    owner: z.string(),
    name: z.string(),
    agent: z.string(),
    /** When the sandbox was made for one version of the agent. */
    agentVersion: z.string().exactOptional(),
    provider: z.string(),
    isolation: statedIsolationSchema,
    /** Who holds it to its policy: our gateway (`enforced`), or less, as its provider states. */
    egress: egressSchema.exactOptional(),
    status: sandboxStatusSchema,
    /** Why it is not running, when it ended by itself. */
    statusReason: z.string().exactOptional(),
    workspace: z
      .object({
        path: z.string(),
        mode: workspaceModeSchema,
        /** `copied`: the sandbox has a copy, on another machine as a rule. Absent: it has the directory itself. */
        files: z.enum(["copied"]).exactOptional(),
      })
      .nullable(),
    /** Mode `clone`: the branch that its work is fetched to, and the commits fetched and held back. */
    clone: z
      .object({
        branch: z.string(),
        base: z.string(),
        fetched: z.string().nullable(),
        held: z.string().nullable(),
      })
      .exactOptional(),
    ephemeral: z.boolean(),
    environmentNames: stringsSchema,
    /** Variables of its agent, each with the name of the secret that it takes; values are never shown. */
    bindings: z.record(z.string(), z.string()).readonly().exactOptional(),
    policy: z.object({
      preset: z.string(),
      file: z.string().exactOptional(),
      allow: stringsSchema,
      deny: stringsSchema,
    }),
    /** What it was made from. */
    template: z
      .object({
        name: z.string(),
        title: z.string(),
        origin: z.string(),
        digest: z.string(),
        parameters: parameterValuesSchema.readonly(),
        /** Values that count from the next start on. */
        nextParameters: parameterValuesSchema.readonly().exactOptional(),
        /** Names of what was taken from the owner's own configuration of the agent. */
        imported: z.object({ steering: stringsSchema, mcpServers: stringsSchema }).exactOptional(),
        /** Where people sign in. */
        identityDirectory: z.object({ startUrl: z.string(), region: z.string() }).exactOptional(),
      })
      .exactOptional(),
    regions: stringsSchema.exactOptional(),
    /** When one was named. */
    loginProfile: z.string().exactOptional(),
    mirrors: z.string().nullable(),
    limits: limitsSchema,
    /** Whose programs are inside, where they are not this machine's: an image's, a base's or a service's. */
    userland: z.enum(["own"]).exactOptional(),
    toolchains: stringsSchema,
    protectedPaths: stringsSchema,
    /** What the user lifted out of protection: relative to the workspace. */
    unprotected: stringsSchema.exactOptional(),
    /** Made since the start for the host to run; moved into quarantine when the session ends. */
    createdPaths: stringsSchema.exactOptional(),
    layers: stringsSchema,
    /** What the provider states while it runs: runtime, limits in force, what is not protected. */
    facts: z.record(z.string(), z.unknown()).readonly(),
    /** Published at this moment. */
    ports: z.array(publishedPortSchema).readonly(),
    sessions: z
      .array(z.object({ id: z.string(), kind: z.string(), status: z.string() }))
      .readonly(),
    /** Where each value of its making was said: a flag, a file and line, a variable, or built in. */
    origins: z.record(z.string(), z.string()).readonly(),
    lifetime: z.object({
      idleStopMs: z.int().exactOptional(),
      /** While it runs: when it is stopped unless something goes on in it. */
      idleStopsAt: z.string().exactOptional(),
      maxAgeMs: z.int().exactOptional(),
      expiresAt: z.string().exactOptional(),
    }),
    createdAt: z.string(),
    startedAt: z.string().exactOptional(),
  })
  .meta({ id: "Sandbox" });
export type Sandbox = z.infer<typeof sandboxSchema>;

/** `POST /v1/sandboxes/{id}/recreate`. */
export const sandboxRecreateSchema = z
  .strictObject({
    /** Takes along the files that the agent's sign-in consists of. */
    keepLogin: z.boolean().optional(),
    mirrors: mirrorsSchema.optional(),
    installTimeoutMs: z.int().positive().optional(),
  })
  .meta({ id: "SandboxRecreate" });
export type SandboxRecreate = z.infer<typeof sandboxRecreateSchema>;

export const sandboxRecreatedSchema = z
  .object({
    sandbox: sandboxSchema,
    /** False when nothing was asked for, or nobody was signed in. */
    keptLogin: z.boolean(),
  })
  .meta({ id: "SandboxRecreated" });
export type SandboxRecreated = z.infer<typeof sandboxRecreatedSchema>;

export const sandboxListSchema = z
  .object({ sandboxes: z.array(sandboxSchema).readonly() })
  .meta({ id: "SandboxList" });
