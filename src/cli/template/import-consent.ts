import { homedir } from "node:os";
import { CattlegridError } from "../../errors/error.ts";
import { type Imported, type ImportedServer, importPlacesSchema } from "../../protocol/imported.ts";
import { canAsk, type Caller, tell } from "../caller.ts";
import { makeOneLine } from "../output/error-text.ts";
import { readOwnConfiguration } from "./own-configuration.ts";

export interface Consent {
  /** Whether the command line said so. */
  given: boolean;
  /** Whether a person may be asked. */
  asks: boolean;
}

/** Shows what a template would take from a person's own configuration, and takes what they agree to; by default nothing. */
export async function agreeToImport(
  undecided: CattlegridError,
  { given, asks }: Consent,
  caller: Caller,
): Promise<Imported> {
  const places = importPlacesSchema.parse(undecided.details);
  const home = caller.environment["HOME"] || homedir();
  const { imported, leftOut } = await readOwnConfiguration(places, home);
  const lines = describe(imported);
  const whose = `your own configuration of ${makeOneLine(places.agent)}`;
  const mayTake = given || (asks && canAsk(caller));
  if (lines.length > 0 && !mayTake) {
    tell(
      caller,
      `cattlegrid: nothing of ${whose} is taken, which the template asks for: --import takes it.`,
    );
    return {};
  }
  if (lines.length > 0) tell(caller, [`cattlegrid: of ${whose}:`, ...lines].join("\n"));
  for (const each of leftOut) tell(caller, `cattlegrid: left out: ${makeOneLine(each)}`);
  return lines.length > 0 && (given || (await isAgreed(caller))) ? imported : {};
}

/** SECURITY: the default is no, and whoever only presses Enter has said no. */
async function isAgreed({ input, errors: output }: Caller): Promise<boolean> {
  const { confirm, isCancel } = await import("@clack/prompts");
  const message = "Take it into the sandbox?";
  const answer = await confirm({ message, initialValue: false, input, output });
  if (!isCancel(answer)) return answer;
  throw new CattlegridError("INTERRUPTED", "The question was left unanswered.");
}

function describe({ steering = [], mcpServers = {} }: Imported): string[] {
  return [
    ...steering.map(({ name, content }) => `  steering ${name}, ${content.length} characters`),
    ...Object.entries(mcpServers).map(
      ([name, server]) => `  MCP server ${name}: ${makeOneLine(describeServer(server))}`,
    ),
  ];
}

function describeServer(server: ImportedServer): string {
  if ("url" in server) return server.url;
  const { command, args = [], environment = {} } = server;
  const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  return `runs inside: ${[...variables, command, ...args].join(" ")}`;
}

/** Undefined unless it is about a server that was taken along: then what remains without it. */
export function withoutDenied(
  imported: Imported,
  { details }: CattlegridError,
): Imported | undefined {
  const { server } = details;
  const { mcpServers = {} } = imported;
  if (typeof server !== "string" || mcpServers[server] === undefined) return undefined;
  const kept = Object.entries(mcpServers).filter(([name]) => name !== server);
  return { ...imported, mcpServers: Object.fromEntries(kept) };
}
