import type { Bindings } from "../protocol/secret.ts";
import type { SecretBindingRow } from "../store/secret-binding-rows.ts";

/** The agent that a process belongs to. Absent for a process of the user's own in a sandbox. */
export interface BoundAgent {
  id: string;
  credentials: readonly string[];
}

/** Who can say what an agent is given, the later the stronger. */
export interface BindingLayers {
  /** For every sandbox of a user. */
  user: readonly SecretBindingRow[];
  /** Of the template that the sandbox was made from. */
  template?: Bindings | undefined;
  /** Given when the sandbox was made. */
  sandbox?: Bindings | undefined;
  /** Given with this session or process. */
  request?: Bindings | undefined;
}

/** Which secret each variable takes. Pure. */
export function resolveBindings(agent: BoundAgent | undefined, layers: BindingLayers): Bindings {
  const { user, template, sandbox, request } = layers;
  return { ...bindUser(agent, user), ...template, ...sandbox, ...request };
}

/**
 * SECURITY: what a user bound goes to agents alone, and to those only that were named or that declare the variable. One
 * for an agent by name wins over one for all that declare it.
 */
function bindUser(agent: BoundAgent | undefined, rows: readonly SecretBindingRow[]): Bindings {
  if (agent === undefined) return {};
  const declared = rows.filter(
    (row) => row.agent === "" && agent.credentials.includes(row.variable),
  );
  const named = rows.filter((row) => row.agent === agent.id);
  return Object.fromEntries(
    [...declared, ...named].map(({ variable, secret }) => [variable, secret]),
  );
}
