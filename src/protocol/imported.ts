import { z } from "zod";

/** Of what is taken from a person's own configuration of an agent. */
export const IMPORT_FILES_MAX = 32;
export const IMPORT_CHARACTERS_MAX = 65_536;
export const IMPORT_STEERING_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}\.md$/;
export const IMPORT_SERVER_NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$/;

const lineSchema = z.string().min(1).max(4096);

/** SECURITY: neither trust nor headers: what is taken grants no tool, and carries no credential. */
const serverSchema = z.union([
  z.strictObject({
    command: lineSchema,
    args: z.array(z.string().max(4096)).max(100).optional(),
    environment: z
      .record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), z.string().max(4096))
      .optional(),
  }),
  z.strictObject({ url: z.url().max(4096) }),
]);
export type ImportedServer = z.infer<typeof serverSchema>;

/** What a person agreed to take along. Empty: nothing. */
export const importedSchema = z.strictObject({
  steering: z
    .array(
      z.strictObject({
        name: z.string().regex(IMPORT_STEERING_NAME),
        content: z.string().max(IMPORT_CHARACTERS_MAX),
      }),
    )
    .max(IMPORT_FILES_MAX)
    .optional(),
  mcpServers: z
    .record(z.string().regex(IMPORT_SERVER_NAME), serverSchema)
    .refine((servers) => Object.keys(servers).length <= IMPORT_FILES_MAX, "names too many servers")
    .optional(),
});
export type Imported = z.infer<typeof importedSchema>;

/**
 * Or a wish: a client that looks first, and so wants to be told (IMPORT_UNDECIDED) where to; `require` refuses a template that
 * imports nothing.
 */
export const importWishSchema = z.union([z.enum(["ask", "require"]), importedSchema]);

/** Details of IMPORT_UNDECIDED: where an agent's configuration lies, below a person's home directory. */
export const importPlacesSchema = z.object({
  agent: z.string(),
  /** Directories with Markdown files, or such files. */
  steering: z.array(z.string()).readonly(),
  /** JSON files, each with the keys that lead to its table of servers. */
  mcp: z.array(z.object({ path: z.string(), keys: z.array(z.string()).readonly() })).readonly(),
});
export type ImportPlaces = z.infer<typeof importPlacesSchema>;
