import { constants } from "node:os";

/** What the script ends with when nothing of the session runs. */
export const NOTHING_LEFT = 3;

/**
 * SECURITY: a fixed script; the signal, the session and the wish come as arguments. Fields behind the program's name,
 * which may hold anything: state, parent, group, session, terminal, foreground group.
 */
const SCRIPT = `signal=$1 leader=$2 whole=$3 found=${NOTHING_LEFT}
read_fields() { IFS= read -r line <"$1" 2>/dev/null || return 1; rest=\${line##*) }; }
front=
if read_fields "/proc/$leader/stat"; then set -- $rest; front=$6; fi
for file in /proc/[0-9]*/stat; do
  read_fields "$file" || continue
  pid=\${file#/proc/}; pid=\${pid%/stat}
  set -- $rest
  case $1 in Z|X) continue;; esac
  [ "$4" = "$leader" ] || continue
  [ "$whole" = yes ] || [ "$3" = "$leader" ] || [ "$3" = "$front" ] || continue
  found=0
  kill -"$signal" "$pid" 2>/dev/null
done
exit $found`;

/**
 * The command that, run inside, sends a signal to the processes of a session: to all of them, or to those of its
 * leader's group and of the one that its terminal's keys reach. Ends with `NOTHING_LEFT` when there are none.
 */
export function signalSession(
  name: NodeJS.Signals,
  leader: number,
  reach: "groups" | "session",
): readonly string[] {
  const number = String(constants.signals[name]);
  const whole = reach === "session" ? "yes" : "no";
  return ["/bin/sh", "-c", SCRIPT, "sh", number, String(leader), whole];
}
