import { CattlegridError } from "../errors/error.ts";

/** Who asks. Locally `local:<uid>`, as the kernel says. */
export interface Principal {
  readonly id: string;
}

export type Action = "read" | "create" | "use" | "remove" | "administer";

export interface Resource {
  kind: "daemon" | "login profile" | "sandbox" | "secret" | "session" | "terminal";
  owner: string;
}

/**
 * Every operation of the API passes here. Throws NOT_AUTHORISED. On one machine it is the owner, and nobody
 * else, who may do everything with what is theirs.
 */
export function authorise(principal: Principal, action: Action, resource: Resource): void {
  if (isAuthorised(principal, action, resource)) return;
  const message = `${principal.id} may not ${action} this ${resource.kind}.`;
  throw new CattlegridError("NOT_AUTHORISED", message);
}

/** The same as a question, for lists that hold what several own. */
export function isAuthorised(principal: Principal, _action: Action, resource: Resource): boolean {
  return principal.id === resource.owner;
}
