import { basename } from "node:path";
import type { AgentAdapter } from "../../agent/agent.ts";
import type { ConfigurationFile } from "../../agent/configuration/configuration.ts";
import { settingUnavailable } from "../../agent/configuration/refusal.ts";
import { CattlegridError } from "../../errors/error.ts";
import type { Imported, ImportPlaces } from "../../protocol/imported.ts";
import type { SandboxCreate } from "../../protocol/sandbox.ts";
import type { ResolvedTemplate } from "../../protocol/template.ts";

const READ_ONLY = 0o444;

/** What a person agreed to, of a request; a wish alone is nothing yet. */
export function importedOf(request: Pick<SandboxCreate, "imported"> | undefined): Imported {
  const { imported } = request ?? {};
  return typeof imported === "object" ? imported : {};
}

/**
 * A template with what was taken from a person's own configuration. SECURITY: only what the template still names counts, and of
 * the same name the template's own. Pure; the same when it is done twice.
 */
export function withImported(template: ResolvedTemplate, imported: Imported): ResolvedTemplate {
  const { steering = [], mcpServers = {} } = imported;
  const names = new Set(template.steering.map(({ name }) => name));
  const takes = (what: ResolvedTemplate["import"][number]): boolean =>
    template.import.includes(what);
  return {
    ...template,
    steering: [
      ...template.steering,
      ...(takes("steering") ? steering.filter(({ name }) => !names.has(name)) : []),
    ],
    mcpServers: { ...(takes("mcp") ? mcpServers : {}), ...template.mcpServers },
  };
}

/** Imported steering is nobody's to edit inside: it is put there anew at each start. */
export function markImported(
  files: readonly ConfigurationFile[],
  { steering = [] }: Imported,
): readonly ConfigurationFile[] {
  const isImported = (path: string, content: string): boolean =>
    steering.some((each) => each.name === basename(path) && each.content === content);
  return files.map((file) =>
    "content" in file && isImported(file.path, file.content) ? { ...file, mode: READ_ONLY } : file,
  );
}

/**
 * Throws AGENT_SETTING_UNAVAILABLE for an agent that nothing can be taken for, REQUEST_INVALID for what the template does not name,
 * and IMPORT_UNDECIDED, with the places to look at, for a client that wants to look.
 */
export function checkImports(
  template: ResolvedTemplate | undefined,
  { imported }: SandboxCreate,
  agent: AgentAdapter,
): void {
  const wanted = template?.import ?? [];
  const places = findPlaces(wanted, agent);
  if (imported === undefined) return;
  if (typeof imported === "object") return refuseUnnamed(wanted, imported);
  if (wanted.length > 0) {
    const message = `The template asks for your own ${wanted.join(" and ")} of ${agent.title}.`;
    throw new CattlegridError("IMPORT_UNDECIDED", message, { details: { ...places } });
  }
  if (imported === "require") refuse("anything");
}

function refuseUnnamed(wanted: ResolvedTemplate["import"], imported: Imported): void {
  const { steering = [], mcpServers = {} } = imported;
  if (steering.length > 0 && !wanted.includes("steering")) refuse("steering");
  if (Object.keys(mcpServers).length > 0 && !wanted.includes("mcp")) refuse("MCP servers");
}

function refuse(what: string): never {
  const message = `Nothing here takes ${what} from your own configuration of the agent.`;
  throw new CattlegridError("REQUEST_INVALID", message, {
    hint: "Only a template that says `import` does: use one, or leave out --import.",
  });
}

function findPlaces(wanted: ResolvedTemplate["import"], agent: AgentAdapter): ImportPlaces {
  const { steering = [], mcp = [] } = agent.configuration?.importable ?? {};
  const found = { steering, mcp };
  const missing = wanted.filter((what) => found[what].length === 0);
  if (missing.length > 0) {
    const what = `take along a person's own ${missing.join(" and ")}`;
    const hint = "Leave it out of the template's `import`, or use another agent.";
    throw settingUnavailable(agent.title, what, { hint });
  }
  return {
    agent: agent.title,
    steering: wanted.includes("steering") ? [...steering] : [],
    mcp: wanted.includes("mcp") ? [...mcp] : [],
  };
}
