import { z } from "zod";
import {
  IMPORT_SERVER_NAME,
  importedSchema,
  type ImportedServer,
} from "../../protocol/imported.ts";

/** SECURITY: what is called so holds a secret, whatever it looks like. */
const SECRET_NAME = /key|token|secret|passw|credential|auth|cookie/i;

/** As agents write them; of all else in an entry nothing is taken, least of all which tools are trusted. */
const entrySchema = z.object({
  command: z.string().optional(),
  args: z.array(z.string()).optional(),
  env: z.record(z.string(), z.string()).optional(),
  url: z.string().optional(),
  headers: z.record(z.string(), z.unknown()).optional(),
  disabled: z.boolean().optional(),
});
type Entry = z.infer<typeof entrySchema>;

/** A server of a person's own; why it is not taken, or undefined for one that is switched off. */
export async function readServer(
  name: string,
  said: unknown,
): Promise<ImportedServer | string | undefined> {
  const read = entrySchema.safeParse(said);
  if (!read.success || !IMPORT_SERVER_NAME.test(name))
    return "is written in a way that is not understood";
  if (read.data.disabled === true) return undefined;
  const secret = await findSecret(read.data);
  if (secret !== undefined) return secret;
  const server = toServer(read.data);
  const checked = importedSchema.safeParse({ mcpServers: { [name]: server } });
  return checked.success ? server : "is written in a way that is not understood";
}

function toServer({ command, args, env, url = "" }: Entry): ImportedServer {
  if (command === undefined) return { url };
  return {
    command,
    ...(args === undefined ? {} : { args }),
    ...(env === undefined ? {} : { environment: env }),
  };
}

async function findSecret({
  command,
  args = [],
  env = {},
  url,
  headers = {},
}: Entry): Promise<string | undefined> {
  const [header] = Object.keys(headers);
  if (header !== undefined) return `has the header ${header}, which may be a credential`;
  const variable = Object.keys(env).find((each) => SECRET_NAME.test(each));
  if (variable !== undefined) return `has the variable ${variable}, which may be a credential`;
  // An address with more than a place in it, and an option that is called like a credential.
  if (url !== undefined && /[?#@]/.test(url)) return "has an address that may hold a credential";
  if (args.some((each) => SECRET_NAME.test(each)))
    return "has an argument that may be a credential";
  const { scanSecrets } = await import("../../platform/secret-scan.ts");
  const text = [command, ...args, ...Object.entries(env).map((pair) => pair.join("=")), url].join(
    "\n",
  );
  return (await scanSecrets("mcp.json", text))[0];
}
