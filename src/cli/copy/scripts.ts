/**
 * What runs inside, as the sandbox's own user and in its own view. SECURITY: constant texts; names arrive as arguments
 * and are never part of a script. What they lead to is the sandbox's own affair: nothing inside is trusted anyway.
 */

const HOME = `case $1 in "~") shift; set -- "$HOME" "$@" ;; "~/"*) p=$HOME/\${1#"~/"}; shift; set -- "$p" "$@" ;; esac`;

/** Arguments: a directory, and the name in it. Writes a tar stream whose first entry is `./NAME`. */
export const EXPORT_SCRIPT = `
${HOME}
cd -- "$1" 2>/dev/null && { [ -e "./$2" ] || [ -L "./$2" ]; } || exit 20
if tar --version 2>/dev/null | grep -q GNU; then
  exec tar -cf - --format=gnu --hard-dereference --warning=no-file-ignored -- "./$2"
fi
exec tar -cf - -- "./$2"
`;

/** Arguments: the target, the source's name, its kind (file, directory, content, stream), and yes to replace. */
export const IMPORT_SCRIPT = `
${HOME}
target=$1 name=$2 kind=$3 replaces=$4 final=
if [ -d "$target" ]; then
  into=$target
  case $kind in file | directory) final=$name ;; esac
else
  [ "$kind" != stream ] || exit 21
  case $kind$target in file*/) exit 21 ;; esac
  target=\${target%/}
  final=\${target##*/}
  case $target in */*) into=\${target%/*}/ ;; *) into=. ;; esac
  [ -d "$into" ] || exit 21
fi
is_there() { [ -e "$1" ] || [ -L "$1" ]; }
if [ -n "$final" ] && [ "$replaces" != yes ] && is_there "$into/$final"; then
  if [ "$kind" != file ] || [ -d "$into/$final" ]; then exit 22; fi
fi
work=$(mktemp -d "$into/.cattlegrid-copy-XXXXXX") || exit 23
trap 'chmod -R u+rwx "$work" 2>/dev/null; rm -rf "$work"' EXIT
trap 'exit 24' HUP INT TERM
mkdir "$work/new" && tar -xf - -C "$work/new" || exit 23
count=0
place() {
  mode=
  if [ -d "$2" ] && [ ! -L "$2" ]; then
    count=$((count + 1))
    mv -T "$2" "$work/old$count" || exit 23
  fi
  if [ -d "$1" ] && [ ! -L "$1" ] && [ ! -w "$1" ]; then
    mode=$(stat -c %a "$1")
    chmod u+w "$1"
  fi
  mv -fT "$1" "$2" || exit 23
  [ -z "$mode" ] || chmod "$mode" "$2"
}
if [ -n "$final" ]; then
  place "$work/new/$name" "$into/$final"
  exit 0
fi
from=$work/new
[ "$kind" = stream ] || from=$work/new/$name
for child in "$from"/* "$from"/.[!.]* "$from"/..?*; do
  is_there "$child" || continue
  if [ "$replaces" != yes ] && is_there "$into/\${child##*/}"; then exit 22; fi
done
for child in "$from"/* "$from"/.[!.]* "$from"/..?*; do
  is_there "$child" || continue
  place "$child" "$into/\${child##*/}"
done
`;

export const EXIT_SOURCE_MISSING = 20;
export const EXIT_TARGET_UNFIT = 21;
export const EXIT_TARGET_TAKEN = 22;
