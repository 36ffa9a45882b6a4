import { readFileSync, rmSync, writeSync } from "node:fs";
import { adoptOrphans } from "../../../../platform/native/child-signal.ts";
import { reapProcess, type ProcessExit } from "../../../../platform/native/spawn.ts";
import { applyFilter } from "../../../../platform/native/system-call-filter.ts";
import { exitCode } from "../../../../platform/process.ts";
import { ProcessLauncher } from "../../../../platform/process-launcher.ts";
import { absentCallFilter } from "../system-calls/absent-call-filter.ts";

/** Nothing else keeps this process alive while it waits for signals. */
const AWAKE_MS = 2 ** 30;

/**
 * Leads a runtime that starts a program in the background and goes: `run|exec REPORT PID-FILE RUNTIME…`. Tells the
 * program's number on the descriptor of the report, and with `exec` stays until the program ends, to end with its
 * status. The runtime gets the same descriptors. It is started where the keeper is, as root there.
 */
const [command, report = "", pidFile = "", ...runtime] = process.argv.slice(2);
const reportFd = Number(report.split("/").at(-1));
setInterval(() => undefined, AWAKE_MS);
applyFilter(absentCallFilter());
// Otherwise the keeper, as first process, would be the program's parent, and its status nobody's.
if (command === "exec") adoptOrphans();
const { exited } = await new ProcessLauncher().launch(runtime, {
  descriptors: Array.from({ length: reportFd + 1 }, (_, fd) => fd),
  environment: { PATH: "/usr/bin:/bin" },
});
const runtimeExit = await exited;
if (runtimeExit.code !== 0) end(runtimeExit);
const pid = Number(readFileSync(pidFile, "utf8"));
rmSync(pidFile);
writeSync(reportFd, String(pid));
end(command === "exec" ? await programEnd(pid) : runtimeExit);

function end({ code, signal }: ProcessExit): never {
  process.exit(exitCode(code, signal));
}

function programEnd(pid: number): Promise<ProcessExit> {
  return new Promise((resolve) => {
    const look = (): void => {
      const exit = reapProcess(pid);
      if (exit === undefined) return;
      process.off("SIGCHLD", look);
      resolve(exit);
    };
    process.on("SIGCHLD", look);
    look();
  });
}
