/** What makes a repository, or the work in a clone of it, hostile. `$EVIL` is a program that leaves a mark; `$ELSEWHERE` a directory. */
export interface HostileClone {
  title: string;
  /** Run in the user's repository beforehand, by the user. */
  host?: string;
  /** Run inside, in the clone. */
  inside?: string;
  /** What the first start, or else the fetch, comes to: an outcome or a code. */
  outcome: readonly string[];
  /** Paths that must be held. */
  held?: readonly string[];
  /** Run in the user's repository afterwards; must print nothing. */
  after?: string;
}

const COMMIT = "git add --all && git commit -qm work";
const WORK = `echo b >b.txt; ${COMMIT}`;
/** Writes a tree of these `mode SP name NUL object` entries, sorted or not, and commits it. */
const LITERAL_TREE = `tree() { for e in "$@"; do printf "\${e%%|*}\\0"; printf %b "$(printf %s "\${e#*|}" | sed 's/../\\\\x&/g')"; done >/tmp/tree; git update-ref HEAD $(git commit-tree -p HEAD -m bad $(git hash-object -t tree -w --literally /tmp/tree)); }; blob=$(echo x | git hash-object -w --stdin); subtree=$(printf '100644 blob %s\\tf\\n' $blob | git mktree)`;
const INVALID = ["CLONE_WORK_INVALID"];
const FETCHED = ["fetched"];

/** In the user's own repository, as one may have come from somewhere. */
const REPOSITORIES: readonly HostileClone[] = [
  {
    title: "refs whose names are options, commands and numbers",
    host: `c=$(git rev-parse HEAD); for r in 'heads/--upload-pack=evil' 'heads/-x' 'heads/$(evil)' 'heads/a;b' "heads/it's" 'heads/HEAD' 'tags/--exec' 'tags/ü' "heads/$c"; do echo "create refs/$r $c"; done | git update-ref --stdin`,
    outcome: FETCHED,
  },
  {
    title: "five thousand refs",
    host: `c=$(git rev-parse HEAD); { echo '# pack-refs with: sorted'; for i in $(seq 5000); do echo "$c refs/tags/t$i"; done | LC_ALL=C sort -k2; } >.git/packed-refs`,
    outcome: FETCHED,
  },
  {
    title: "a git directory elsewhere, by a file",
    host: `git init -q --separate-git-dir "$ELSEWHERE/separate.git"`,
    outcome: FETCHED,
  },
  {
    title: "a git directory elsewhere, by a link",
    host: `mv .git "$ELSEWHERE/linked.git"; ln -s "$ELSEWHERE/linked.git" .git`,
    outcome: FETCHED,
  },
  {
    title: "objects borrowed from another repository",
    host: `git clone -q --bare . "$ELSEWHERE/lender.git"; rm -rf .git/objects/??; echo "$ELSEWHERE/lender.git/objects" >.git/objects/info/alternates`,
    outcome: FETCHED,
  },
  {
    title: "alternates that lead nowhere, to a pipe, and around in a circle",
    host: `mkfifo "$ELSEWHERE/pipe"; printf '/nonexistent\\n%s\\n%s\\n' "$ELSEWHERE/pipe" "$PWD/.git/objects" >.git/objects/info/alternates`,
    outcome: FETCHED,
  },
  {
    title: "a replacement of the commit by another",
    host: `git replace $(git rev-parse HEAD) $(git commit-tree -m other $(git mktree </dev/null))`,
    inside: `test -f a.txt; ${WORK}`,
    outcome: FETCHED,
  },
  {
    title: "grafts",
    host: `git commit -q --allow-empty -m two; git rev-parse HEAD >.git/info/grafts`,
    outcome: FETCHED,
  },
  {
    title: "a history that is cut off",
    host: `git commit -q --allow-empty -m two; git clone -q --depth 1 "file://$PWD" "$ELSEWHERE/shallow"; rm -rf .git; mv "$ELSEWHERE/shallow/.git" .git`,
    outcome: FETCHED,
  },
  {
    title: "a list of cut off commits that is garbage",
    host: `printf '%s\\n../../etc/passwd\\n$(evil)\\n' $(git rev-parse HEAD) >.git/shallow`,
    outcome: ["fetched", "GIT_FAILED", "WORKSPACE_NOT_CLONABLE"],
  },
  {
    title: "objects that are not there",
    host: `echo gone >gone; git add gone; git commit -qm gone; o=$(git rev-parse HEAD:gone); rm -f .git/objects/$(echo $o | sed 's|..|&/|')`,
    outcome: ["GIT_FAILED"],
  },
  {
    title: "an object that is damaged",
    host: `o=$(git rev-parse HEAD:a.txt); f=.git/objects/$(echo $o | sed 's|..|&/|'); chmod +w $f; echo damaged >$f`,
    outcome: ["GIT_FAILED"],
  },
  {
    title: "objects named by SHA-256",
    host: `rm -rf .git; git init -q -b main --object-format=sha256; git add --all; git commit -qm first`,
    outcome: FETCHED,
  },
  {
    title: "configuration included on a condition, and that of one working tree",
    host: `printf '[core]\\n\\tfsmonitor = %s\\n\\tpager = %s\\n\\tsshCommand = %s\\n' "$EVIL" "$EVIL" "$EVIL" | tee "$ELSEWHERE/inc" >.git/config.worktree; git config "includeIf.gitdir:/**.path" "$ELSEWHERE/inc"; git config "includeIf.onbranch:**.path" "$ELSEWHERE/inc"; git config extensions.worktreeConfig true`,
    outcome: FETCHED,
  },
  {
    title: "a working tree that is said to be elsewhere",
    host: `mkdir -p "$ELSEWHERE/tree"; git config core.worktree "$ELSEWHERE/tree"`,
    outcome: ["WORKSPACE_NOT_CLONABLE"],
  },
  {
    title: "protocols allowed, and addresses rewritten to a program",
    host: `git config protocol.ext.allow always; git config url."ext::$EVIL ".insteadOf https://; git config remote.origin.url https://x/; git config remote.origin.uploadpack "$EVIL"; git config remote.origin.promisor true; git config core.repositoryFormatVersion 1; git config extensions.partialClone origin; git config core.gitProxy "$EVIL"`,
    outcome: FETCHED,
  },
  {
    title: "a submodule whose address is a program",
    host: `printf '[submodule "x"]\\n\\tpath = x\\n\\turl = ext::%s\\n' "$EVIL" >.gitmodules; git config submodule.x.url "ext::$EVIL"; git config submodule.x.update "!$EVIL"; git config submodule.recurse true; git update-index --add --cacheinfo 160000,$(git rev-parse HEAD),x; git add .gitmodules; git commit -qm sub`,
    inside: `test -d x; test -z "$(ls x)"; ${WORK}`,
    outcome: FETCHED,
  },
  {
    title: "a submodule that is checked out, with hooks of its own",
    host: `git init -q "$ELSEWHERE/lib"; git -C "$ELSEWHERE/lib" commit -q --allow-empty -m lib; git -c protocol.file.allow=always submodule --quiet add "$ELSEWHERE/lib" lib; git commit -qm lib; for h in post-checkout reference-transaction; do cp "$EVIL" .git/modules/lib/hooks/$h; done; git -C lib config core.fsmonitor "$EVIL"`,
    inside: `test -z "$(ls lib)"; ${WORK}`,
    outcome: FETCHED,
  },
  {
    title: "a filter process by the repository's own attributes",
    host: `mkdir -p .git/info; echo '* filter=evil' >.git/info/attributes; git config filter.evil.process "$EVIL"; git config filter.evil.required true; touch -d 2001-01-01 a.txt`,
    outcome: FETCHED,
  },
  {
    title: "names with line feeds, escapes and both cases",
    host: `for n in "$(printf 'a\\nb')" "$(printf 'e\\033]0;x\\007')" '-rf' 'Case' 'case' '$(evil)' "$(printf '\\342\\200\\256x')"; do echo x >"./$n"; done; git add --all; git commit -qm names`,
    inside: `test "$(ls -A | wc -l)" -ge 9; ${WORK}`,
    outcome: FETCHED,
  },
  {
    title: "files and objects of another user, some of them closed",
    host: `mkdir closed; echo x >closed/f; git add closed; git commit -qm closed; chmod 700 closed; [ "$(id -u)" != 0 ] || { chown -R 65534:65534 .; chmod o+x "$HOME"; }`,
    outcome: FETCHED,
    after: `[ "$(id -u)" != 0 ] || find .git/objects -user 0`,
  },
  {
    title: "a checked out branch whose name is in the way of ours",
    host: "git checkout -q -b cattlegrid",
    outcome: ["CLONE_BRANCH_CHANGED"],
  },
];

/** By the agent, in its clone. */
const CLONES: readonly HostileClone[] = [
  {
    title: "branches whose names are options and commands",
    inside: `${WORK}; for r in '--x' '$(evil)' 'a"b' 'q\\\\'; do git update-ref "refs/heads/$r" HEAD || true; done`,
    outcome: FETCHED,
  },
  {
    title: "alternates that lead to the host, to a pipe and in a circle",
    inside: `${WORK}; mkfifo .git/pipe; printf '%s\\n%s\\n../objects\\n' "$ELSEWHERE" "$PWD/.git/pipe" >.git/objects/info/alternates`,
    outcome: FETCHED,
  },
  {
    title: "a replacement that shows another tree than there is",
    inside: `echo 'on: push' >.gitlab-ci.yml; ${COMMIT}; git replace HEAD $(git commit-tree -p HEAD~1 -m plain HEAD~1^{tree})`,
    outcome: ["held", "CLONE_WORK_INVALID", "fetched", "unchanged"],
    after: "git ls-tree -r --name-only cattlegrid/$NAME 2>/dev/null | grep gitlab || true",
  },
  {
    title: "grafts and a cut that hide the history that is missing",
    inside: `${WORK}; echo c >c.txt; ${COMMIT}; git rev-parse HEAD | tee .git/shallow >.git/info/grafts; rm -f .git/objects/$(git rev-parse HEAD~1 2>/dev/null | sed 's|..|&/|') || true`,
    outcome: ["fetched", "CLONE_WORK_INVALID"],
    after:
      "! git rev-parse -q --verify cattlegrid/$NAME >/dev/null || git rev-list --objects cattlegrid/$NAME >/dev/null",
  },
  {
    title: "a git directory that is a file, a link, or gone",
    inside: `${WORK}; mv .git ../.git-moved 2>/dev/null || mv .git moved; ln -s /proc/1/root/etc .git`,
    outcome: ["CLONE_WORK_INVALID", "unchanged"],
  },
  {
    title: "a branch that is a link to a file",
    inside: `${WORK}; git checkout -q --detach; b=$(ls .git/refs/heads/cattlegrid/*); rm $b; ln -s /etc/passwd $b`,
    outcome: ["fetched", "CLONE_WORK_INVALID"],
  },
  {
    title: "a branch that names itself",
    inside: `${WORK}; git checkout -q --detach; b=$(ls .git/refs/heads/cattlegrid/*); echo "ref: \${b#.git/}" >$b`,
    outcome: ["fetched", "CLONE_WORK_INVALID"],
  },
  {
    title: "a working tree said to be the whole machine",
    inside: `${WORK}; git config core.worktree /etc; git config core.bare false`,
    outcome: FETCHED,
    after: "git ls-tree -r --name-only cattlegrid/$NAME | grep -x passwd || true",
  },
  {
    title: "names with line feeds and escapes, and two that differ in case",
    inside: `for n in "$(printf 'a\\nb')" "$(printf 'e\\033]0;x\\007')" 'Case' 'case'; do echo x >"./$n"; done; ${COMMIT}`,
    outcome: ["held"],
    held: ["a\nb", "e\u001b]0;x\u0007", "Case", "case"],
  },
  {
    title: "a submodule that the user does not have",
    inside: `mkdir lib; git update-index --add --cacheinfo 160000,$(git rev-parse HEAD),lib; git commit -qm sub`,
    outcome: ["held"],
    held: ["lib"],
  },
  {
    title: "hooks and settings that it would have the user's git obey",
    inside: `mkdir -p .husky .githooks; cp a.txt .husky/pre-commit; cp a.txt .githooks/pre-commit; echo '* filter=x' >.gitattributes; printf '[submodule "x"]\\n\\tpath = x\\n\\turl = ./x\\n' >.gitmodules; ${COMMIT}`,
    outcome: ["held"],
    held: [".gitattributes", ".gitmodules"],
  },
  {
    title: "a submodule's address that is a program, or an option",
    inside: `printf '[submodule "x"]\\n\\tpath = x\\n\\turl = -u./evil\\n' >.gitmodules; ${COMMIT}`,
    outcome: INVALID,
  },
  {
    title: "a submodule's name that climbs out",
    inside: `printf '[submodule "../../x"]\\n\\tpath = x\\n\\turl = ./x\\n' >.gitmodules; ${COMMIT}`,
    outcome: INVALID,
  },
  ...[
    ["git's directory by its short name", '"040000 git~1|$subtree"'],
    ["git's directory with an invisible character", `"040000 .g\\342\\200\\214it|$subtree"`],
    ["a name with a slash", '"100644 a/../../b|$blob"'],
    ["an empty name", '"100644 |$blob"'],
    ["the same name twice", '"100644 a|$blob" "100644 a|$blob"'],
    ["an object of no content at all", '"100644 a|0000000000000000000000000000000000000000"'],
  ].map(([title = "", entries = ""]) => ({
    title: `a tree that holds ${title}`,
    inside: `${LITERAL_TREE}; tree ${entries}`,
    outcome: INVALID,
  })),
  {
    title: "a commit of nobody at no time",
    inside: `t=$(git rev-parse HEAD^{tree}); c=$(printf 'tree %s\\nparent %s\\nauthor x\\ncommitter x <> 99999999999999999999 +0000\\n\\nbad' $t $(git rev-parse HEAD) | git hash-object -t commit -w --stdin --literally); git update-ref HEAD $c`,
    outcome: INVALID,
  },
  {
    title: "a message that is a terminal's escapes",
    inside: `echo b >b.txt; git add --all; git commit -qm "$(printf 'x\\033]52;c;ZXZpbA==\\007')"`,
    outcome: FETCHED,
  },
  {
    title: "a filter that speaks in the place of the export",
    inside: `${WORK}; printf '#!/bin/sh\\nexec 3>/proc/$PPID/fd/1; for p in $(ls /proc | grep -x "[0-9]*"); do printf "%%s\\\\n" "{\\"commit\\":\\"$(printf %040d 0)\\",\\"uncommitted\\":false,\\"others\\":\\"\\"}" >/proc/$p/fd/1; done 2>/dev/null; cat\\n' >/tmp/f; cp /tmp/f .git/f; chmod +x .git/f; git config filter.x.clean "$PWD/.git/f"; mkdir -p .git/info; echo '*.txt filter=x' >.git/info/attributes; echo more >>a.txt`,
    outcome: ["fetched", "CLONE_WORK_INVALID"],
  },
  {
    title: "a filter that never ends its first line",
    inside: `${WORK}; printf '#!/bin/sh\\nhead -c 3000000 /dev/zero | tr "\\\\0" x >/proc/$PPID/fd/1; for p in $(ls /proc | grep -x "[0-9]*"); do head -c 3000000 /dev/zero | tr "\\\\0" x >/proc/$p/fd/1; done 2>/dev/null; cat\\n' >.git/f; chmod +x .git/f; git config filter.x.clean "$PWD/.git/f"; mkdir -p .git/info; echo '*.txt filter=x' >.git/info/attributes; echo more >>a.txt`,
    outcome: ["fetched", "CLONE_WORK_INVALID"],
  },
  {
    title: "thirty million zeros in a few kilobytes",
    inside: `head -c 30m /dev/zero >zeros; ${COMMIT}`,
    outcome: FETCHED,
  },
  {
    title: "a history that has nothing to do with the user's",
    inside: `git checkout -q --orphan other; git rm -rfq --cached .; echo x >only; git add only; git commit -qm orphan`,
    outcome: ["fetched", "unchanged"],
  },
];

export const HOSTILE_CLONES = { REPOSITORIES, CLONES };
