import type { ProcessLauncher } from "../../../../platform/process-launcher.ts";
import type { ProcessDefaults } from "../bundle/bundle.ts";
import type { OciRuntime } from "../runtimes/oci-runtime.ts";

/** What is needed to start a process in a running sandbox. */
export interface ExecTarget {
  launcher: ProcessLauncher;
  /** Command prefix that enters the sandbox's cgroup, if it has one, and the keeper's namespaces. */
  enter: readonly string[];
  /** Path of the OCI runtime's program, and how it is driven. */
  program: string;
  runtime: OciRuntime;
  /** Its `--root`, in the keeper's mount namespace. */
  stateRoot: string;
  containerId: string;
  /** The process object that every exec must carry whole: `crun exec` without it drops no_new_privs. */
  process: ProcessDefaults;
  /** The same for root inside, where that may be. */
  rootProcess?: ProcessDefaults;
  /** The default working directory inside. */
  cwd: string;
  /** An own directory for process files, pid files and sockets: the same path here and for the runtime. */
  scratchDirectory: string;
}
