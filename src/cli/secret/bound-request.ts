import { CattlegridError } from "../../errors/error.ts";
import { canAsk } from "../caller.ts";
import type { VerbContext } from "../verb.ts";

/** Posts what may need secrets that are got here, in the caller's shell: the daemon says which, and is asked again. */
export async function postBound<T>(
  path: string,
  request: { secrets?: Readonly<Record<string, string>> | undefined },
  { api, caller }: Pick<VerbContext, "api" | "caller">,
): Promise<T> {
  try {
    return await api.post<T>(path, request);
  } catch (error) {
    if (!CattlegridError.is(error, "SECRET_UNRESOLVED")) throw error;
    const { followReferences } = await import("../../client/secret-references.ts");
    const { environment } = caller;
    const options = { environment, asks: canAsk(caller), signal: api.signal };
    const secrets = { ...(await followReferences(error, options)), ...request.secrets };
    return api.post<T>(path, { ...request, secrets });
  }
}
