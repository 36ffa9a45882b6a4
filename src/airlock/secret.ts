import { scanSecrets } from "../platform/secret-scan.ts";
import type { Hold } from "./change.ts";

/** Why a text is held back: it looks as if it held secrets. Says which kind and line, never the secret itself. */
export async function findSecrets(path: string, text: string): Promise<readonly Hold[]> {
  const reasons = await scanSecrets(path, text);
  return reasons.map((reason) => ({ class: "secret", reason }));
}
