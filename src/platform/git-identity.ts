import { CattlegridError } from "../errors/error.ts";
import { runProcess } from "./process.ts";

export interface GitIdentity {
  name?: string;
  email?: string;
}

/**
 * The user's name and address as git knows them, and nothing else of git's configuration. Empty without git.
 * SECURITY: git runs outside the sandbox, and a repository's own configuration is written by whoever made the
 * repository. Run in `/` with no repository at all, git reads only the system's and the user's files.
 */
export async function readGitIdentity(
  environment: Readonly<Record<string, string | undefined>>,
  signal: AbortSignal,
): Promise<GitIdentity> {
  const kept = Object.entries(environment).filter(
    ([name]) => !/^GIT_(DIR|WORK_TREE|CEILING.*)$/.test(name),
  );
  const texts = kept.map(([name, value]): [string, string] => [name, value ?? ""]);
  const argv = ["git", "config", "--null", "--get-regexp", String.raw`^user\.(name|email)$`];
  const options = {
    cwd: "/",
    environment: { ...Object.fromEntries(texts), GIT_DIR: "/dev/null" },
    signal,
  };
  try {
    return parseIdentity((await runProcess(argv, options)).stdout);
  } catch (error) {
    if (CattlegridError.is(error, "DEPENDENCY_MISSING")) return {};
    throw error;
  }
}

/** Each entry is a name, a line feed and a value; a later one takes the place of an earlier. */
function parseIdentity(output: string): GitIdentity {
  const identity: GitIdentity = {};
  for (const entry of output.split("\0")) {
    const [key, value] = [entry.split("\n", 1)[0], entry.slice(entry.indexOf("\n") + 1)];
    if (key === "user.name" && value !== "") identity.name = value;
    if (key === "user.email" && value !== "") identity.email = value;
  }
  return identity;
}
