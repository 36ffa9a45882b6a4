import { define, provider, user } from "./definition.ts";

/** Codes of changes that are brought out of a sandbox, and of copies that are sent into one. */
export const CHANGE_CODES = define({
  // Changes and copies
  CHANGES_CONFLICT: user(
    409,
    "Look at both sides with `cattlegrid diff NAME`; then let the sandbox's version win with --overwrite PATH, keep yours with --keep PATH, take both between marks with --mark PATH, or apply the others by path.",
  ),
  CHANGES_UNAPPLIED: user(
    409,
    "Look with `cattlegrid diff NAME`, keep them with `cattlegrid apply NAME`, or drop them with --force.",
  ),
  CHANGES_TOO_LARGE: user(
    413,
    "Remove or git-ignore in the sandbox what need not come out; `cattlegrid cp` takes single files.",
  ),
  CHANGES_UNREACHABLE: provider(
    503,
    "Start the sandbox with `cattlegrid start NAME` and try again; --force goes on without what was not fetched.",
  ),
  CHANGES_JOURNAL_CORRUPT: provider(
    500,
    "Look at the directories that the message names, then drop the rest with `cattlegrid rm NAME --force`.",
  ),
  WORKSPACE_TOO_LARGE: user(
    413,
    "Name a smaller directory as the workspace, or use a provider that shares files with this machine.",
  ),
  WORKSPACE_NOT_SENT: provider(500, "Read the reason above; nothing of the workspace was changed."),
});
