import type { ProcessRequest } from "../../../process.ts";

export interface ScriptWish {
  request: ProcessRequest;
  /** Where the program starts. */
  cwd: string;
  /** Says which words in the output are the script's and not the program's. */
  token: string;
  /** A pipe with a name inside to which the program's errors go, when they are apart from its terminal. */
  errorsPath?: string;
  /** As that, for what the program reads in place of its terminal. */
  inputPath?: string;
}

/**
 * Runs the program and says three things about it on its output, each after a zero byte and the token: what became of it
 * with the number of its session, before its first byte, and its exit status, after its last. So nobody needs to trust
 * that whatever lies between here and there lost nothing: without the last word, something is missing.
 *
 * SECURITY: constant text; the program and whatever else comes from a caller are positional parameters, which the shell
 * never parses. The program can read the token and end its own output early; it gains nothing by that.
 *
 * A pipe with a name holds the program up until its other end is opened, which is done once the program is announced.
 *
 * The script stays the leader of the session. It survives what is sent to its group, and a trapped signal is the default
 * one again for the program.
 */
const SCRIPT = `token=$1 cwd=$2 rows=$3 columns=$4 raw=$5 errors=$6 input=$7; shift 7
say() { printf '\\000%s %s %s;' "$token" "$1" "$$"; }
cd -- "$cwd" 2>/dev/null || { say directory; exit 125; }
case $1 in */*) [ -x "$1" ] && ! [ -d "$1" ];; *) command -v -- "$1" >/dev/null 2>&1;; esac ||
  { if [ -e "$1" ]; then say denied; exit 126; fi; say missing; exit 127; }
[ -z "$rows" ] || stty rows "$rows" columns "$columns"
[ -z "$raw" ] || stty -opost
trap : HUP INT QUIT TERM USR1 USR2
umask=$(umask); umask 077
for pipe in $errors $input; do mkfifo -- "$pipe" || exit 125; done
umask "$umask"
say found
[ -z "$input" ] || exec <"$input"
if [ -n "$errors" ]; then (exec "$@") 2>"$errors"; else (exec "$@"); fi
code=$?
[ -n "$rows" ] || printf '\\000%s end %s;' "$token" "$code" >&2
say "exit $code"
exit "$code"`;

export function scriptFor(wish: ScriptWish): readonly string[] {
  const { request, cwd, token } = wish;
  const { terminal } = request;
  return [
    "/bin/sh",
    "-c",
    SCRIPT,
    "sh",
    token,
    cwd,
    terminal === undefined ? "" : String(terminal.rows),
    terminal === undefined ? "" : String(terminal.columns),
    terminal?.rawOutput === true ? "raw" : "",
    wish.errorsPath ?? "",
    wish.inputPath ?? "",
    ...request.argv,
  ];
}
