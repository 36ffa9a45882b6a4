/** What a program inside says of the work in a clone, before the pack that holds it. */
export interface ExportedWork {
  /** The commit to take over. */
  commit: string;
  /** Whether its last commit was made of what lay uncommitted. */
  hasUncommitted: boolean;
  /** Other local branches, which are not taken over. */
  otherBranches: readonly string[];
}

/** Longest header that is read: what comes is written by whoever rules inside. */
export const EXPORT_HEADER_BYTES_MAX = 256 * 1024;

/**
 * Writes a header of one line of JSON and then a pack, for `sh -c EXPORT_SCRIPT sh BRANCH MESSAGE KNOWN…`. What is checked out
 * is taken when it continues the branch, else the branch; what lies uncommitted becomes one commit more.
 * SECURITY: it runs git on a repository that the agent wrote, so it runs inside a sandbox, without a network, on a clone
 * that it cannot write. Whatever it is made to execute there can only change what it prints.
 */
export const EXPORT_SCRIPT = `set -eu
branch=$1 message=$2
shift 2
export GIT_WORK_TREE="$PWD" GIT_OPTIONAL_LOCKS=0 GIT_OBJECT_DIRECTORY=/tmp/objects GIT_INDEX_FILE=/tmp/index
mkdir -p /tmp/objects
common=$(git rev-parse --path-format=absolute --git-common-dir)
export GIT_ALTERNATE_OBJECT_DIRECTORIES="$common/objects"
git() { command git -c core.hooksPath=/dev/null -c core.fsmonitor=false -c gc.auto=0 "$@"; }
tip=$(git rev-parse --verify --quiet "refs/heads/$branch^{commit}" || git rev-parse --verify "HEAD^{commit}")
uncommitted=false
if head=$(git rev-parse --verify --quiet "HEAD^{commit}") && git merge-base --is-ancestor "$tip" "$head"; then
  tip=$head
  git read-tree "$head"
  git add --all
  tree=$(git write-tree)
  if [ "$tree" != "$(git rev-parse "$head^{tree}")" ]; then
    # Of the same files the same commit, whenever they are looked at.
    GIT_AUTHOR_DATE=$(git show -s --format=%cI "$head")
    export GIT_AUTHOR_DATE GIT_COMMITTER_DATE="$GIT_AUTHOR_DATE"
    tip=$(git commit-tree -p "$head" -m "$message" "$tree")
    uncommitted=true
  fi
fi
others=$(git for-each-ref --format="%(refname:short)" refs/heads | grep -vxF "$branch" | sed 's/"/\\\\"/g' | tr "\\n" " " || :)
printf '{"commit":"%s","uncommitted":%s,"others":"%s"}\\n' "$tip" "$uncommitted" "$others"
{ echo "$tip"; for known; do git cat-file -e "$known" && echo "^$known" || :; done; } |
  git pack-objects --revs --stdout --delta-base-offset --quiet
`;

const OBJECT = /^[0-9a-f]{40}(?:[0-9a-f]{24})?$/;

/** Undefined for a header that the script would not write. */
export function parseExportHeader(line: string): ExportedWork | undefined {
  let header: Partial<Record<string, unknown>>;
  try {
    header = JSON.parse(line) as Partial<Record<string, unknown>>;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  const { commit, uncommitted, others } = header ?? {};
  if (typeof commit !== "string" || !OBJECT.test(commit)) return undefined;
  const names = typeof others === "string" ? others.split(" ") : [];
  return {
    commit,
    hasUncommitted: uncommitted === true,
    otherBranches: names.filter((name) => name !== ""),
  };
}
