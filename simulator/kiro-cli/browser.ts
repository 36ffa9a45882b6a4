import { spawn } from "node:child_process";
import { once } from "node:events";

/** Runs xdg-open; undefined when it took the address, else the failure in the words of the system. */
export async function openBrowser(address: string): Promise<string | undefined> {
  const child = spawn("xdg-open", [address], { stdio: "ignore" });
  try {
    const [status] = (await once(child, "close")) as [number | null];
    return status === 0 ? undefined : "No such file or directory (os error 2)";
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return "No such file or directory (os error 2)";
    if (code === "EACCES") return "Permission denied (os error 13)";
    throw error;
  }
}

export function isRemoteSession(environment: NodeJS.ProcessEnv): boolean {
  const names = ["SSH_CLIENT", "SSH_CONNECTION", "SSH_TTY", "Q_FAKE_IS_REMOTE"];
  return names.some((name) => environment[name] !== undefined);
}

export const NO_BROWSER = [
  "Failed to open browser for authentication.",
  "Please try again with: kiro-cli login --use-device-flow",
].join("\n");
