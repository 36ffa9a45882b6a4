import { accessSync, constants, existsSync } from "node:fs";
import { delimiter, join } from "node:path";

/** Something of the machine that a test needs. Unmet, the test is skipped and the reason is shown. */
export interface Requirement {
  readonly name: string;
  readonly met: boolean;
  /** Empty when met. */
  readonly reason: string;
  /** The title with `[skipped: reason]` behind it when unmet; `npm test` shows it in its table. */
  title(text: string): string;
}

/** `probe` returns what is wrong, or undefined when all is well. */
export function requirement(name: string, probe: () => string | undefined): Requirement {
  const problem = probe();
  const reason = problem === undefined ? "" : `needs ${name}: ${problem}`;
  const suffix = problem === undefined ? "" : ` [skipped: ${reason.replaceAll("]", ")")}]`;
  return { name, met: problem === undefined, reason, title: (text) => `${text}${suffix}` };
}

/** Met when every one of the others is. */
export function allOf(...requirements: readonly Requirement[]): Requirement {
  const unmet = requirements.find(({ met }) => !met);
  const name = requirements.map((each) => each.name).join(", ");
  return unmet ?? { name, met: true, reason: "", title: (text) => text };
}

export function program(name: string): Requirement {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/sbin"];
  return requirement(name, () =>
    folders.some((folder) => isExecutable(join(folder, name))) ? undefined : "not installed",
  );
}

export function root(): Requirement {
  return requirement("root", () => (process.getuid?.() === 0 ? undefined : "runs as another user"));
}

export function ordinaryUser(): Requirement {
  return requirement("an ordinary user", () =>
    process.getuid?.() === 0 ? "runs as root" : undefined,
  );
}

function isExecutable(path: string): boolean {
  if (!existsSync(path)) return false;
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EACCES") return false;
    throw error;
  }
}
