import { closeSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { constants } from "node:os";
import { openAnonymousFile, openPipe } from "../../../platform/native/descriptor.ts";
import type { ExecTarget } from "./exec-target.ts";
import type { ProgramGroup } from "./process-group.ts";

const PAUSE_MS = 20;
const PAUSE_MS_MAX = 500;
/** What the script ends with when nothing of the session runs. */
const NOTHING_LEFT = 3;

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
 * The processes of one exec under a kernel of the sandbox's own: the host has no process for any of them, so a program
 * inside signals them.
 */
export class GuestGroup implements ProgramGroup {
  readonly #target: ExecTarget;
  /** Leads a session and a group of its own. */
  readonly #leader: number;

  constructor(target: ExecTarget, leader: number) {
    this.#target = target;
    this.#leader = leader;
  }

  async signal(name: NodeJS.Signals): Promise<void> {
    await this.#run(constants.signals[name], "no");
  }

  async kill(): Promise<void> {
    for (let pauseMs = PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, PAUSE_MS_MAX)) {
      // Any other ending but success says that there is nothing left, or no sandbox.
      if ((await this.#run(constants.signals.SIGKILL, "yes")) !== 0) return;
      await delay(pauseMs);
    }
  }

  async #run(signal: number, whole: "yes" | "no"): Promise<number> {
    const target = this.#target;
    const args = ["/bin/sh", "-c", SCRIPT, "sh", String(signal), String(this.#leader), whole];
    const specification = { ...target.process, terminal: false, args, cwd: "/" };
    const processFd = openAnonymousFile(JSON.stringify(specification));
    const { readFd, writeFd } = openPipe();
    try {
      const { program, stateRoot, containerId } = target;
      const place = { program, stateRoot, containerId, processFd: 3, reportFd: 4, extraCount: 0 };
      const argv = [...target.enter, ...target.runtime.exec(place)];
      const { exited } = await target.launcher.launch(argv, {
        descriptors: ["null", "null", "null", processFd, writeFd],
        environment: { PATH: "/usr/bin:/bin" },
        ownSession: true,
      });
      return (await exited).code ?? 1;
    } finally {
      for (const fd of [processFd, readFd, writeFd]) closeSync(fd);
    }
  }
}
