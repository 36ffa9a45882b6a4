import { CattlegridError } from "../../errors/error.ts";
import type { ResolvedTemplate } from "../../protocol/template.ts";
import { checkHomePath, type BuildStep, type StepFailure } from "./step.ts";

const TIMEOUT_MS = 30 * 60_000;
const SCHEMES = ["https:", "http:"];
/** What git says when a server wants to know who asks. */
const ASKED =
  /could not read (Username|Password)|Authentication failed|terminal prompts disabled|HTTP (Basic|401|403)|returned error: 40[13]/;

/**
 * SECURITY: a constant text; address, path and revision are its arguments, and none of them can be an option. A revision is
 * looked for as a commit or tag, and as a branch of the remote's.
 */
const SCRIPT = `set -e
url=$1 path=$2 ref=$3
git clone --quiet --no-checkout -- "$url" "$path"
cd -- "$path"
if [ -z "$ref" ]; then git checkout --quiet
elif git show-ref --verify --quiet "refs/remotes/origin/$ref"; then
  git checkout --quiet -B "$ref" --track "refs/remotes/origin/$ref"
elif commit=$(git rev-parse --verify --quiet --end-of-options "$ref^{commit}"); then
  git checkout --quiet --detach "$commit"
elif git fetch --quiet origin "$ref"; then git checkout --quiet --detach FETCH_HEAD
else echo "the repository has no branch, tag or commit $ref" >&2; exit 3; fi
echo "$url is at commit $(git rev-parse HEAD)"
`;

/** Brings a repository to the revision that it names, into a place below the home directory. */
export function planClone({
  url,
  ref = "",
  path,
}: ResolvedTemplate["repositories"][number]): BuildStep {
  checkAddress(url);
  if (ref.startsWith("-") || /[\0\s]/.test(ref)) {
    throw new CattlegridError(
      "TEMPLATE_INVALID",
      `${JSON.stringify(ref)} is no revision of a repository.`,
      {
        hint: "Write a branch, a tag or a commit.",
      },
    );
  }
  return {
    name: `clone ${url}${ref === "" ? "" : ` at ${ref}`}`,
    argv: ["sh", "-c", SCRIPT, "clone", url, checkHomePath(path), ref],
    // Without a question that nobody could answer.
    environment: { GIT_TERMINAL_PROMPT: "0", GIT_ASKPASS: "", GIT_LFS_SKIP_SMUDGE: "1" },
    root: false,
    timeoutMs: TIMEOUT_MS,
    inputs: {},
    explain: (failure) => explainPrivate(url, failure),
  };
}

/** SECURITY: what is in a layer is everybody's who uses the template, so no credential may get there. */
function checkAddress(url: string): void {
  const parsed = URL.parse(url);
  const shown = parsed === null ? url : `${parsed.protocol}//${parsed.host}${parsed.pathname}`;
  const refuse = (why: string, hint: string): never => {
    throw new CattlegridError("TEMPLATE_INVALID", `The repository ${shown} ${why}.`, { hint });
  };
  if (parsed === null || !SCHEMES.includes(parsed.protocol)) {
    refuse(
      "is not reached by https",
      "Write its https address. What needs a key or a password cannot be in a template's layer; clone it in a session.",
    );
  }
  if (parsed !== null && (parsed.username !== "" || parsed.password !== "")) {
    refuse(
      "names a user or a password",
      "Leave them out: a layer is everybody's who uses the template. Clone a private repository in a session, with a secret.",
    );
  }
}

function explainPrivate(url: string, { output }: StepFailure): CattlegridError | undefined {
  if (!ASKED.test(output)) return undefined;
  const message = `The repository ${url} is not to be had without signing in.`;
  return new CattlegridError("REPOSITORY_PRIVATE", message);
}
