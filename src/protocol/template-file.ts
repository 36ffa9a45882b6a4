import { z } from "zod";
import { workspaceModeSchema } from "./sandbox.ts";
import { PARAMETER_NAME } from "./template-choice.ts";

/** Of a template: a directory's name. */
export const TEMPLATE_NAME = /^[a-z0-9][a-z0-9-]{0,40}$/;

const variableSchema = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/);
const textSchema = z.string().min(1);
const durationSchema = z.string().regex(/^\d+(ms|s|m|h|d)$/, "write a duration such as 30m or 8h");
const sizeSchema = z.string().regex(/^\d+(\.\d+)?[kmgt]b?$/i, "write a size such as 512m or 8g");
/** Kept of a download, so that the same name cannot come to mean something else. */
const digestSchema = z.string().regex(/^sha256:[0-9a-f]{64}$/, "write sha256: and 64 hex digits");

/** A number, or a text that a parameter makes one: `${parameters.NAME}`, `${parameters.NAME}h`. */
const orParameter = <Schema extends z.ZodType>(schema: Schema) =>
  z.union([schema, z.string().regex(/\$\{parameters\.[a-z][a-z0-9_]*\}/)]);

/** Every named parameter has this value; otherwise the part is left out. */
const whenSchema = z.record(
  z.string().regex(PARAMETER_NAME),
  z.union([z.string(), z.number(), z.boolean()]),
);

const about = {
  title: textSchema.max(80).optional(),
  description: textSchema.optional(),
  /** Whether `params NAME --set` may change it later, from the next start on. Default: false. */
  mutable: z.boolean().optional(),
};

/** A question whose answer the template uses. Without a default it has to be answered. */
const parameterSchema = z.discriminatedUnion("type", [
  z.strictObject({
    type: z.literal("string"),
    ...about,
    default: z.string().optional(),
    /** The whole value has to match. */
    pattern: z.string().optional(),
    maxLength: z.int().positive().optional(),
  }),
  z.strictObject({
    type: z.literal("number"),
    ...about,
    default: z.number().optional(),
    min: z.number().optional(),
    max: z.number().optional(),
    integer: z.boolean().optional(),
  }),
  z.strictObject({ type: z.literal("boolean"), ...about, default: z.boolean().optional() }),
  z.strictObject({
    type: z.literal("choice"),
    ...about,
    choices: z
      .array(z.union([textSchema, z.strictObject({ value: textSchema, title: textSchema })]))
      .min(1),
    default: z.string().optional(),
  }),
  /** SECURITY: its value is the name of a secret in the vault, never the secret. */
  z.strictObject({ type: z.literal("secret"), ...about, default: z.string().optional() }),
  /** Its value is the name of a login profile. */
  z.strictObject({ type: z.literal("login"), ...about, default: z.string().optional() }),
]);
export type TemplateParameter = z.infer<typeof parameterSchema>;

/** What the root file system is: this machine's own toolchain, or another one. */
export const baseSchema = z.union([
  z.literal("host"),
  /** A root file system's directory, read-only. */
  z.strictObject({ directory: textSchema }),
  /** A root file system as a tar archive, also compressed. */
  z.strictObject({ tar: textSchema, digest: digestSchema.optional() }),
  /** A directory in the OCI image layout, or a reference to a registry's image, pinned by digest or tag. */
  z.strictObject({ image: textSchema, digest: digestSchema.optional() }),
]);

export const repositorySchema = z.strictObject({
  url: textSchema,
  /** Branch, tag or commit. Default: the remote's own. */
  ref: textSchema.optional(),
  /** Below the home directory. */
  path: textSchema,
  when: whenSchema.optional(),
});

/** Runs once, when the template is built, as the agent's user, by `sh -e`, in the home directory. */
const setupStepSchema = z.strictObject({
  name: textSchema.optional(),
  /** SECURITY: no parameter is part of the text; each is a variable PARAM_NAME. */
  run: textSchema,
  /** As root inside; only on a base that lies in the sandbox's own id map. Default: false. */
  root: z.boolean().optional(),
  environment: z.record(variableSchema, z.string()).optional(),
  /** More of what the step depends on: files of the template whose contents are part of its key. */
  inputs: z.array(textSchema).optional(),
  timeout: durationSchema.optional(),
  when: whenSchema.optional(),
});

/** A file, given here or beside the template. */
const contents = { content: z.string().optional(), from: textSchema.optional() };

const fileSchema = z.strictObject({
  /** Below the home directory. */
  path: textSchema,
  ...contents,
  /** Default: 0644. */
  mode: z
    .string()
    .regex(/^0?[0-7]{3}$/)
    .optional(),
  when: whenSchema.optional(),
});

const steeringSchema = z.strictObject({
  /** Of the file: `product.md`. */
  name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]*\.md$/),
  ...contents,
  when: whenSchema.optional(),
});

/** A server of tools for the agent. SECURITY: it runs inside; nothing of it is started on the host. */
export const mcpServerSchema = z.union([
  z.strictObject({
    command: textSchema,
    args: z.array(z.string()).optional(),
    environment: z.record(variableSchema, z.string()).optional(),
    /** Tools that need no question under trust `ask` or a list. */
    trusted: z.array(textSchema).optional(),
    when: whenSchema.optional(),
  }),
  z.strictObject({
    url: z.url(),
    headers: z.record(z.string(), z.string()).optional(),
    trusted: z.array(textSchema).optional(),
    when: whenSchema.optional(),
  }),
]);
export type TemplateMcpServer = z.infer<typeof mcpServerSchema>;

/** Which tools the agent may use without a question. */
const trustSchema = z.union([z.enum(["all", "builtin", "ask"]), z.array(textSchema)]);
export type Trust = z.infer<typeof trustSchema>;

const hookSchema = z.strictObject({
  command: textSchema,
  matcher: z.string().optional(),
  timeout: durationSchema.optional(),
});

export const agentSchema = z.strictObject({
  /** Exactly this one is installed. */
  version: textSchema.optional(),
  /** Of the file that its installer fetches, where the agent's adapter can check it. */
  checksum: digestSchema.optional(),
  /** Default: all. */
  trust: trustSchema.optional(),
  model: textSchema.optional(),
  /** Instructions that come before every conversation. */
  prompt: textSchema.optional(),
  /** Files that the agent reads at its start, in its own notation. Default: what it reads by itself, and the steering. */
  resources: z.array(textSchema).optional(),
  /** By the agent's own names of events. */
  hooks: z.record(textSchema, z.array(hookSchema)).optional(),
  subagents: z
    .record(
      z.string().regex(/^[a-z0-9][a-z0-9-]*$/),
      z.strictObject({
        description: textSchema.optional(),
        prompt: textSchema,
        trust: trustSchema.optional(),
        resources: z.array(textSchema).optional(),
        model: textSchema.optional(),
      }),
    )
    .optional(),
  /** Whether the workspace's own configuration of the agent may change what is said here. Default: false. */
  workspaceConfiguration: z.boolean().optional(),
});
export type TemplateAgent = z.infer<typeof agentSchema>;

const policySchema = z.strictObject({
  /** Default: agent. */
  preset: textSchema.optional(),
  /** Rules in the short form of `--allow` and `--deny`. */
  allow: z.array(textSchema).optional(),
  deny: z.array(textSchema).optional(),
  /** A policy file beside the template that nothing said later can exceed; as the organisation's. */
  ceiling: textSchema.optional(),
});

const templateLimitsSchema = z.strictObject({
  cpus: orParameter(z.number().positive()).optional(),
  memory: orParameter(sizeSchema).optional(),
  pids: orParameter(z.int().positive()).optional(),
  /** Whether a machine that cannot hold them is refused. Default: true. */
  required: z.boolean().optional(),
});

/** `cattlegrid.template.yaml`. */
export const templateFileSchema = z
  .strictObject({
    version: z.literal(1),
    title: textSchema.max(80).optional(),
    description: textSchema.optional(),
    /** The one template that this one begins with. */
    extends: z.string().regex(TEMPLATE_NAME).optional(),
    parameters: z.record(z.string().regex(PARAMETER_NAME), parameterSchema).optional(),
    /** Which agent runs when nobody names one. */
    agent: textSchema.optional(),
    /** What is said of each agent. */
    agents: z.record(textSchema, agentSchema).optional(),
    base: baseSchema.optional(),
    packages: z
      .strictObject({
        apt: z.array(textSchema).optional(),
        npm: z.array(textSchema).optional(),
        pip: z.array(textSchema).optional(),
      })
      .optional(),
    repositories: z.array(repositorySchema).optional(),
    setup: z.array(setupStepSchema).optional(),
    files: z.array(fileSchema).optional(),
    steering: z.array(steeringSchema).optional(),
    mcpServers: z
      .record(z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_-]*$/), mcpServerSchema)
      .optional(),
    environment: z.record(variableSchema, z.string()).optional(),
    /** Variables of the agent, each with the name of the secret that it takes. */
    secrets: z.record(variableSchema, textSchema).optional(),
    policy: policySchema.optional(),
    limits: templateLimitsSchema.optional(),
    provider: textSchema.optional(),
    isolation: z.enum(["namespaces", "container", "gvisor", "microvm", "remote"]).optional(),
    workspace: z
      .strictObject({
        /** The first is the default; no other may be asked for. */
        modes: z.array(orParameter(workspaceModeSchema)).min(1).optional(),
        /** Paths that the agent may change although the host runs them. */
        unprotect: z.array(textSchema).optional(),
      })
      .optional(),
    lifetime: z
      .strictObject({
        idleStop: orParameter(durationSchema).optional(),
        maxAge: orParameter(durationSchema).optional(),
        /** The sandbox is removed when its first session ends. */
        removeAfterSession: z.boolean().optional(),
      })
      .optional(),
    regions: z.array(textSchema).optional(),
    /** Where an organisation's people sign in, and whose sign-in is used. */
    identity: z
      .strictObject({
        startUrl: z.url({ protocol: /^https$/ }).optional(),
        region: z
          .string()
          .regex(/^[a-z0-9-]{1,40}$/)
          .optional(),
        profile: textSchema.optional(),
      })
      .optional(),
    /** What is taken from the user's own configuration of the agent, if the user agrees. */
    import: z.array(z.enum(["steering", "mcp"])).optional(),
  })
  .meta({ id: "Template" });
export type TemplateFile = z.infer<typeof templateFileSchema>;

/** JSON Schema of the file, for editors. */
export function describeTemplateFile(): object {
  const title = "A template of Cattlegrid: cattlegrid.template.yaml";
  return { title, ...z.toJSONSchema(templateFileSchema, { io: "input" }) };
}
