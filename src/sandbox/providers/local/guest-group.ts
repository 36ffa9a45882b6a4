import { closeSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { openAnonymousFile, openPipe } from "../../../platform/native/descriptor.ts";
import { signalSession } from "../../guest/session-signal.ts";
import type { ExecTarget } from "./process/exec-target.ts";
import type { ProgramGroup } from "./process/process-group.ts";

const PAUSE_MS = 20;
const PAUSE_MS_MAX = 500;

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
    await this.#run(signalSession(name, this.#leader, "groups"));
  }

  async kill(): Promise<void> {
    for (let pauseMs = PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, PAUSE_MS_MAX)) {
      // Any other ending but success says that there is nothing left, or no sandbox.
      if ((await this.#run(signalSession("SIGKILL", this.#leader, "session"))) !== 0) return;
      await delay(pauseMs);
    }
  }

  async #run(args: readonly string[]): Promise<number> {
    const target = this.#target;
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
