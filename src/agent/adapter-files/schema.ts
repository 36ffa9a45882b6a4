import { z } from "zod";
import { isPattern } from "./text-pattern.ts";

const wordSchema = z.string().min(1);
const commandSchema = z.array(wordSchema).min(1);
const homePathSchema = z
  .string()
  .regex(/^(?!\/)(?!.*(^|\/)\.\.(\/|$))[A-Za-z0-9._/-]+$/, "a path below the home directory")
  .describe("Below the home directory: no `/` at its begin, no `..`.");
const homePathsSchema = z.array(homePathSchema).default([]);
const variableSchema = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "a name of a variable");
const versionSchema = z.string().regex(/^\d+(\.\d+)*$/, "a version is numbers with dots");

function patternSchema(hole: string): z.ZodType<string> {
  return z
    .string()
    .refine((text) => isPattern(text, hole), `a text with {${hole}} in it, once`)
    .describe(`A line of output, with {${hole}} where that stands.`);
}

const hostSchema = z.strictObject({
  host: wordSchema.describe("An exact name, *.name or **.name."),
  port: z.int().min(1).max(65_535).default(443),
  reason: wordSchema.describe("Why the agent needs it, for whoever reviews the policy."),
});

const filesSchema = z
  .record(homePathSchema, z.string())
  .default({})
  .describe("Files that make it quiet, by their path below the home directory.");

const npmSchema = z.strictObject({
  package: z
    .string()
    .regex(/^(@[a-z0-9~-][a-z0-9._~-]*\/)?[a-z0-9~-][a-z0-9._~-]*$/, "a package's name")
    .describe("In the npm registry."),
  version: versionSchema.describe("Installed when no other is asked for."),
  prints: patternSchema("version").default("{version}"),
  diskMegabytes: z.int().min(1).default(1000),
  files: filesSchema,
});

const scriptSchema = z.strictObject({
  script: wordSchema.describe(
    "Run by bash in a throw-away sandbox with an empty home; $1 is the version.",
  ),
  version: versionSchema.describe("Installed when no other is asked for."),
  check: commandSchema
    .optional()
    .describe("Prints the version afterwards. Default: the program with --version."),
  prints: patternSchema("version").default("{version}"),
  hosts: z.array(hostSchema).default([]).describe("Reached by the installation alone."),
  needs: z.array(wordSchema).default([]).describe("Programs the script needs."),
  diskMegabytes: z.int().min(1).default(1000),
  files: filesSchema,
});

const conditionSchema = z
  .record(z.string(), z.union([z.string(), z.number(), z.boolean()]))
  .describe("Fields that the record has, by their dotted path.");
const fieldSchema = wordSchema.describe("A dotted path in the record.");

const recordsSchema = z.strictObject({
  message: z.strictObject({ where: conditionSchema, text: fieldSchema }).optional(),
  toolStart: z
    .strictObject({
      where: conditionSchema,
      id: fieldSchema,
      name: fieldSchema,
      input: fieldSchema,
    })
    .optional(),
  toolEnd: z
    .strictObject({
      where: conditionSchema,
      id: fieldSchema,
      output: fieldSchema,
      failedWhere: conditionSchema.optional(),
    })
    .optional(),
  success: z
    .strictObject({ where: conditionSchema })
    .describe("The record that says that the turn succeeded. Without it a turn is `unknown`."),
  failure: z.array(z.strictObject({ where: conditionSchema, reason: fieldSchema })).default([]),
  conversation: z.strictObject({ where: conditionSchema.default({}), id: fieldSchema }).optional(),
});

const turnsSchema = z.strictObject({
  command: commandSchema.describe(
    "One headless turn. {prompt} in a word is the prompt; without it the prompt comes on standard input. The word " +
      "{resume} is where the words of resume stand; without it they stand at the end.",
  ),
  resume: z
    .array(wordSchema)
    .default([])
    .describe("Added to go on with a conversation; {conversation} is its id."),
  slash: wordSchema.optional().describe("How prompts begin that are the agent's own commands."),
  output: z
    .union([z.enum(["text", "messages"]), recordsSchema])
    .default("text")
    .describe(
      "text: the answer as it is printed, and exit status 0 is success. messages: JSON Lines of assistant, user " +
        "and result messages. Else: how to read the JSON Lines that it writes.",
    ),
});

const signInSchema = z.strictObject({
  whoami: commandSchema.describe("Exits 0 when somebody is signed in."),
  account: patternSchema("account").optional(),
  login: commandSchema,
  url: patternSchema("url").optional(),
  code: patternSchema("code").optional(),
});

const protocolSchema = z.enum([
  "anthropic-messages",
  "openai-responses",
  "openai-chat",
  "google-generate-content",
]);
const modelEndpointSchema = z.union([
  z.strictObject({ variable: variableSchema, protocol: protocolSchema }),
  z.strictObject({ where: wordSchema, protocol: protocolSchema }),
]);

/** What a person writes to bring an agent of their own. */
export const adapterFileSchema = z.strictObject({
  title: wordSchema,
  command: commandSchema.describe("The default interactive command, with approvals off."),
  hosts: z.array(hostSchema).default([]),
  environment: z.record(variableSchema, z.string()).default({}),
  credentials: z
    .array(variableSchema)
    .default([])
    .describe(
      "Variables that are secrets: taken from the caller with -e NAME alone, never stored.",
    ),
  standaloneWords: z.array(wordSchema).default(["--version", "--help"]),
  acp: commandSchema
    .optional()
    .describe("Arguments with which it speaks the Agent Client Protocol."),
  locations: z
    .strictObject({
      configuration: homePathsSchema,
      signIn: homePathsSchema,
      conversations: homePathsSchema,
    })
    .default({ configuration: [], signIn: [], conversations: [] }),
  modelEndpoint: modelEndpointSchema.optional(),
  install: z
    .union([z.strictObject({ npm: npmSchema }), scriptSchema])
    .optional()
    .describe("Absent: the program is on this machine, in /usr or a directory of `toolchains`."),
  signIn: signInSchema.optional(),
  turns: turnsSchema.optional().describe("Absent: `run` alone, and no `chat`."),
});
export type AdapterDocument = z.infer<typeof adapterFileSchema>;
export type RecordsDocument = z.infer<typeof recordsSchema>;
export type TurnsDocument = z.infer<typeof turnsSchema>;
export type SignInDocument = z.infer<typeof signInSchema>;

/** The form of an adapter file as JSON Schema, for editors and other checkers. */
export function describeAdapterFile(): object {
  const title = "Cattlegrid agent adapter";
  return { title, ...z.toJSONSchema(adapterFileSchema, { io: "input" }) };
}
