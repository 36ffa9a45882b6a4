import { spawn } from "node:child_process";
import { once } from "node:events";

export interface Hook {
  command: string;
  matcher?: string;
}

export interface HookEvent {
  hook_event_name: "agentSpawn" | "userPromptSubmit" | "preToolUse" | "postToolUse" | "stop";
  session_id: string;
  cwd: string;
  prompt?: string;
  tool_name?: string;
  tool_input?: unknown;
  tool_response?: unknown;
}

/**
 * Runs the hooks of one moment, each with the event as JSON on stdin. Status 2 of `preToolUse` blocks the tool, and stderr
 * goes to the model; what the others write joins the context. Any other status is a warning.
 */
export async function runHooks(
  hooks: Readonly<Record<string, readonly Hook[]>>,
  event: HookEvent,
): Promise<{ context: string; blocked: string | undefined }> {
  const context: string[] = [];
  for (const hook of hooks[event.hook_event_name] ?? []) {
    if (hook.matcher !== undefined && hook.matcher !== event.tool_name) continue;
    const { status, stdout, stderr } = await runHook(hook, event);
    if (status === 2 && event.hook_event_name === "preToolUse")
      return { context: "", blocked: stderr };
    if (status === 0) context.push(stdout);
    else process.stderr.write(`Warning: hook ended with ${String(status)}: ${stderr}\n`);
  }
  return { context: context.join(""), blocked: undefined };
}

async function runHook(
  hook: Hook,
  event: HookEvent,
): Promise<{ status: number | null; stdout: string; stderr: string }> {
  // SECURITY: a hook is a shell command by its nature, and whoever writes one may run commands here anyway.
  const child = spawn("sh", ["-c", hook.command], { stdio: "pipe", cwd: event.cwd });
  const [out, err]: [Buffer[], Buffer[]] = [[], []];
  child.stdout.on("data", (bytes: Buffer) => out.push(bytes));
  child.stderr.on("data", (bytes: Buffer) => err.push(bytes));
  child.stdin.on("error", ignoreUnread);
  child.stdin.end(JSON.stringify(event));
  const [status] = (await once(child, "close")) as [number | null];
  return { status, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() };
}

/** A hook need not read what it is told. */
function ignoreUnread(error: NodeJS.ErrnoException): void {
  if (error.code !== "EPIPE") throw error;
}
