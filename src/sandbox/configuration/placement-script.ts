/**
 * Runs inside. Writes a tar of what is asked for, then reads a word, and after `write` a tar with a list of what to do. SECURITY: a constant text;
 * paths arrive as arguments and as lines, and are never text of it. No link in the home is followed: one in the way of a
 * directory or a file is removed, so that what is written lies where it says. A file appears by being renamed, whole.
 */
export const PLACEMENT_SCRIPT = `cd || exit 1
umask 022
directory=$1 text=$2
shift 2
# The text may also be written with escapes; nobody else writes letters and digits like that.
if [ -n "$text" ] && [ -e "$directory" ]; then
  command -v grep >/dev/null || exit 4
  found=$(grep -RlE -e "$text" -e '\\\\([uU]0*|x)(2d|3[0-9]|[46][1-9a-fA-F]|[57][0-9aA])' -- "$directory" 2>/dev/null | head -n 1)
  for name in "$directory"/*"$text"*; do [ -e "$name" ] && found=$name; done
  # YAML joins a text that a backslash ends a line of; nothing else in such files is that text without its gaps.
  if [ -z "$found" ] && grep -Rah '' -- "$directory" 2>/dev/null | tr -d '\\\\\\r\\n\\t "' | grep -aqF -e "$text"; then
    found=$directory
  fi
  if [ -n "$found" ]; then printf '%s\\n' "$found" >&2; exit 5; fi
fi
fail() { printf '%s\\n' "$1" >&2; rm -rf -- "$stage"; exit 4; }
# Whether no link lies on the way to it.
is_own() {
  rest=$1 at=.
  while :; do
    at=$at/\${rest%%/*}
    [ -L "$at" ] && return 1
    case $rest in */*) rest=\${rest#*/} ;; *) return 0 ;; esac
  done
}
make_way() {
  rest=$1 at=.
  while case $rest in */*) : ;; *) false ;; esac; do
    at=$at/\${rest%%/*} rest=\${rest#*/}
    [ -L "$at" ] && rm -f -- "$at"
    [ -d "$at" ] || mkdir -- "$at" || fail "$at is in the way"
  done
  [ -L "$1" ] && rm -f -- "./$1"
  [ -d "$1" ] && fail "$1 is a directory"
  :
}
count=$#
while [ "$count" -gt 0 ]; do
  path=$1 count=$((count - 1))
  shift
  if { [ -f "$path" ] || [ -d "$path" ]; } && is_own "$path"; then set -- "$@" "./$path"; fi
done
if [ $# -gt 0 ]; then tar -cf - -- "$@"; else head -c 1024 /dev/zero; fi || exit 1
exec 1>/dev/null
read -r answer || exit 1
[ "$answer" = write ] || exit 0
stage=$(mktemp -d ./.template.XXXXXX) || exit 4
tar -xpof - -C "$stage" || fail "the files did not arrive whole"
while read -r what number path; do
  case $what in
    remove) if is_own "$path"; then rm -f -- "./$path" || fail "$path cannot be removed"; fi ;;
    place) make_way "$path" && mv -f -- "$stage/$number" "./$path" || fail "$path cannot be written" ;;
  esac
done < "$stage/list"
exec rm -rf -- "$stage"
`;
