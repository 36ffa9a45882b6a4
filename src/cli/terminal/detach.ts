import { CattlegridError } from "../../errors/error.ts";
import { DETACH_KEYS_DEFAULT, parseDetachKeys } from "../../protocol/detach-keys.ts";

/** The keys that leave a session, as bytes and as they are written. Throws USAGE. */
export function readDetachKeys(given: string | undefined): {
  bytes: readonly number[];
  text: string;
} {
  const text = given ?? DETACH_KEYS_DEFAULT;
  const bytes = parseDetachKeys(text);
  if (bytes !== undefined) return { bytes, text: text.replaceAll(",", " ") };
  throw new CattlegridError("USAGE", `--detach-keys ${JSON.stringify(text)} names no keys.`, {
    hint: "Write keys with commas between them, such as ctrl-p,ctrl-q or ctrl-],d.",
  });
}
