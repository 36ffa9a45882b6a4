/**
 * The one program of ours in a sandbox: it starts programs by their arguments, keeps what they write until the engine has
 * it, and shows it from any offset. It needs a POSIX sh, coreutils, grep, util-linux's `setsid`, and its `script` for terminals.
 *
 * SECURITY: constant text. What comes from a caller lies in `start`, every word of it quoted, in a directory that only the
 * sandbox's user may enter; `start` holds secrets, and is gone before the program runs. Nothing of it is on a command line.
 *
 * For each program there is a directory with
 *   start            arguments, variables, directory, terminal; read and removed
 *   word leader tty  what became of it, its session, the name of its terminal
 *   out.N err.N      the transcript in segments; removed once the engine has them, and not continued far before that
 *   in.N bell        its input in pieces, and what tells that one has come
 *   code over        its status; and that nothing follows in the transcript
 *
 * The last thing that is written to each stream is a mark, and the program counts as ended when the marks are in the
 * transcript: no tail is lost in a terminal that is torn down, or in a process that copies. Nothing on the way to the program
 * is started with `&`, for that would have it ignore interrupts.
 */
export const GUEST_PROGRAM = `root=\${0%/*} verb=$1 id=$2
box=$root/p/$id
export LC_ALL=C
umask 077

launch() {
  cd "$box" 2>/dev/null || { echo gone; exit; }
  if mkdir started 2>/dev/null; then
    word=$(check)
    if [ "$word" = found ]; then
      setsid -f sh "$0" hold "$id" </dev/null >/dev/null 2>&1 || word=unsuitable
    fi
    [ "$word" = found ] || rm -f start
    echo "$word" >word.new && mv word.new word
  fi
  tries=0
  until [ -e word ] && { [ -e leader ] || [ "$(cat word)" != found ]; }; do
    tries=$((tries + 1)); [ "$tries" -lt 500 ] || { echo late; exit; }
    sleep 0.02
  done
  echo "$(cat word) $(cat leader 2>/dev/null)"
}

check() (
  . ./start
  for needed in setsid mkfifo dd grep base64 \${rows:+script}; do
    command -v "$needed" >/dev/null 2>&1 || { echo "unsuitable $needed"; exit; }
  done
  variables
  cd -- "$cwd" 2>/dev/null || { echo directory; exit; }
  case $1 in
    */*) [ -f "$1" ] && [ -x "$1" ] ;;
    *) command -v -- "$1" >/dev/null 2>&1 ;;
  esac && { echo found; exit; }
  if [ -e "$1" ]; then echo denied; else echo missing; fi
)

hold() {
  cd "$box" || exit
  . ./start
  streams=out
  mkfifo out.pipe in.pipe bell
  if [ -n "$separate" ]; then streams="out err"; mkfifo err.pipe; fi
  for stream in $streams; do pump "$stream" & eval "pump_$stream=$!"; done
  feeder=
  if [ -n "$rows" ] || [ ! -e input ]; then feed & feeder=$!; fi
  if [ -n "$rows" ]; then
    exec 9<>in.pipe
    export CATTLEGRID_PROGRAM="$0" CATTLEGRID_ID="$id"
    script -q -c 'exec sh "$CATTLEGRID_PROGRAM" inside "$CATTLEGRID_ID"' /dev/null <in.pipe >out.pipe 2>/dev/null 9<&-
  else
    setsid sh "$0" inside "$id"
  fi
  status=$?
  for stream in $streams; do
    eval "pump=\\$pump_$stream" tries=0
    while kill -0 "$pump" 2>/dev/null && [ "$tries" -lt 25 ]; do tries=$((tries + 1)); sleep 0.02; done
  done
  if [ -e code ]; then status=$(cat code); elif [ "$status" -le 128 ]; then status=137; fi
  echo "$status" >over.new && mv over.new over
  for stream in $streams; do eval "kill \\$pump_$stream" 2>/dev/null; done
  [ -z "$feeder" ] || kill "$feeder" 2>/dev/null
}

pump() {
  n=0 copying=
  trap 'kill $copying; exit' TERM
  exec 8<"$1.pipe"
  while :; do
    while [ -e "$1.$((n - 3))" ]; do sleep 0.1; done
    dd bs=32768 count=512 <&8 >"$1.$n" 2>/dev/null &
    copying=$!
    wait "$copying"
    [ -s "$1.$n" ] || break
    n=$((n + 1))
  done
}

feed() {
  n=0
  exec 7<>bell 6>in.pipe
  while read -r word <&7; do
    while [ -e "in.$n" ]; do
      cat "in.$n" >&6 2>/dev/null || exit
      rm -f "in.$n"
      n=$((n + 1))
    done
    [ "$word" != end ] || exit
  done
}

inside() {
  cd "$box" || exit
  . ./start
  rm -f start
  if [ -n "$rows" ]; then
    stty echo rows "$rows" columns "$columns"
    [ -z "$raw" ] || stty -opost
    tty >tty
  else
    exec >out.pipe
    [ -e input ] || exec <in.pipe
  fi
  [ -z "$separate" ] || exec 2>err.pipe
  [ ! -e input ] || exec <input
  trap : HUP INT QUIT TERM USR1 USR2
  echo $$ >leader.new && mv leader.new leader
  (
    unset LC_ALL CATTLEGRID_PROGRAM CATTLEGRID_ID SCRIPT
    variables
    cd -- "$cwd" || exit 125
    umask 022
    exec "$@"
  )
  code=$?
  printf '\\000%s mark;' "$token"
  [ -z "$separate" ] || printf '\\000%s mark;' "$token" >&2
  until written out; do sleep 0.02; done
  [ -z "$separate" ] || until written err; do sleep 0.02; done
  echo "$code" >code.new && mv code.new code
  exit "$code"
}

written() { grep -qsF "$token mark" "$1".*[0-9]; }

place() {
  { cd "$box" && [ ! -e over ] && [ -p bell ]; } 2>/dev/null || { echo gone; exit; }
  tries=0
  while [ -e "in.$(($1 - 8))" ]; do
    tries=$((tries + 1)); [ "$tries" -lt 100 ] || { echo full; exit; }
    sleep 0.1
  done
  base64 -d >"in.$1.new" && mv "in.$1.new" "in.$1" && echo more 1<>bell && echo placed
}

finish() {
  { cd "$box" && [ ! -e over ] && [ -p bell ]; } 2>/dev/null || exit
  echo end 1<>bell
}

resize() {
  cd "$box" 2>/dev/null && stty -F "$(cat tty)" rows "$1" columns "$2" 2>/dev/null
}

show() {
  token=$1 at_out=$2 at_err=$4
  stty raw -echo 2>/dev/null
  cd "$box" 2>/dev/null || { say gone; sleep 2; exit; }
  if [ -e shower ] && grep -qsF show "/proc/$(cat shower)/cmdline"; then kill "$(cat shower)"; fi
  echo $$ >shower
  say begin
  exec 5>&1
  open_out "$3"
  [ -z "$at_err" ] || open_err "$5"
  turns=0
  while [ -d "$box" ]; do
    over= moved=
    [ ! -e over ] || over=$(cat over)
    pass out
    [ -z "$at_err" ] || pass err
    if [ -n "$moved" ]; then turns=0; continue; fi
    if [ -n "$over" ]; then say "over $over"; sleep 2; exit; fi
    turns=$((turns + 1))
    if [ "$turns" -lt 20 ]; then sleep 0.01; else sleep 0.1; fi
  done
}

say() { printf '\\000%s %s;' "$token" "$1"; }

arrived() { until [ -e "$1" ]; do [ -d "$box" ] || exit; sleep 0.02; done; }

open_out() { arrived "out.$at_out"; exec 3<"out.$at_out"; say "out $at_out"; tail -c "+$(($1 + 1))" <&3; }
open_err() { arrived "err.$at_err"; exec 4<"err.$at_err"; say "err $at_err"; tail -c "+$(($1 + 1))" <&4; }

pass() {
  eval "at=\\$at_$1" complete=
  [ ! -e "$1.$((at + 1))" ] || complete=1
  [ -z "$at_err" ] || say "$1 $at"
  if [ "$1" = out ]; then copied=$(dd bs=65536 <&3 2>&1 >&5); else copied=$(dd bs=65536 <&4 2>&1 >&5); fi
  case $copied in 0+0*) ;; *) moved=1 ;; esac
  [ -n "$complete" ] || return
  eval "at_$1=$((at + 1))"
  "open_$1" 0
  moved=1
}

shift 2
"$verb" "$@"
`;
