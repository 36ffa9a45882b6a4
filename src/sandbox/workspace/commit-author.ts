import type { SandboxRow } from "../../store/sandbox-rows.ts";

/** Variables by which git inside knows who a commit is of, when Cattlegrid has it made. */
export function authorOf({ specification }: SandboxRow): Record<string, string> {
  const { name = "agent", email = "agent@localhost" } = specification.gitIdentity ?? {};
  return {
    GIT_AUTHOR_NAME: name,
    GIT_AUTHOR_EMAIL: email,
    GIT_COMMITTER_NAME: name,
    GIT_COMMITTER_EMAIL: email,
  };
}
