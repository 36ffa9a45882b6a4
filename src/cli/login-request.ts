import type { SessionCreate } from "../protocol/session.ts";
import { parseDuration } from "./creation/amount.ts";
import { usage, type FlagValues } from "./arguments.ts";
import type { DIRECTORY_FLAGS, LOGIN_TIMEOUT_FLAG } from "./creation/creation-flags.ts";
import type { Settings } from "./settings.ts";

type LoginFlags = FlagValues<typeof DIRECTORY_FLAGS & typeof LOGIN_TIMEOUT_FLAG>;

/** What a session is told about a login, from flags and settings. Throws USAGE for half a directory. */
export function describeLogin(
  verb: string,
  flags: LoginFlags,
  settings: Settings,
): Pick<SessionCreate, "loginTimeoutMs" | "identityDirectory"> {
  const timeout = flags["login-timeout"] ?? settings.flags["login-timeout"];
  const startUrl = flags["identity-provider"] ?? settings.flags["identity-provider"];
  const region = flags["identity-region"] ?? settings.flags["identity-region"];
  if ((startUrl === undefined) !== (region === undefined)) {
    throw usage(verb, "--identity-provider and --identity-region belong together.");
  }
  return {
    ...(timeout === undefined ? {} : { loginTimeoutMs: parseDuration(timeout, "--login-timeout") }),
    ...(startUrl === undefined || region === undefined
      ? {}
      : { identityDirectory: { startUrl, region } }),
  };
}
