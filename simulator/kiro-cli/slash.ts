import type { Context } from "./context.ts";
import { authorisation } from "./credentials.ts";
import type { Credentials } from "./credentials.ts";

/** Runs a prompt that begins with `/` as a command of the program's own; `quit` ends a chat. */
export async function runSlashCommand(
  context: Context,
  credentials: Credentials,
  prompt: string,
): Promise<"done" | "quit"> {
  const [name] = prompt.slice(1).split(/\s+/);
  switch (name) {
    case "quit":
    case "exit":
    case "q":
      return "quit";
    case "usage":
      await showUsage(context, credentials);
      return "done";
    case "help":
      process.stdout.write("Kiro CLI simulator: /usage, /help, /quit\n");
      return "done";
    default:
      process.stderr.write(`Unknown command: '/${name ?? ""}'\n`);
      return "done";
  }
}

async function showUsage(context: Context, credentials: Credentials): Promise<void> {
  const { body } = await context.network.post({
    host: "codewhisperer.us-east-1.amazonaws.com",
    path: "/getUsageLimits",
    headers: authorisation(credentials),
  });
  const { subscriptionTitle = "KIRO FREE" } = (body["subscriptionInfo"] ?? {}) as {
    subscriptionTitle?: string;
  };
  const used = Number(body["currentUsage"]).toFixed(2);
  const month = String(((new Date().getUTCMonth() + 1) % 12) + 1).padStart(2, "0");
  const lines = [
    `Estimated Usage | resets on ${month}/01 | ${subscriptionTitle}`,
    `Credits (${used} of ${String(body["usageLimit"])} covered in plan)`,
  ];
  const width = Math.max(...lines.map((line) => line.length)) + 2;
  const rows = lines.map((line) => `│ ${line.padEnd(width - 1)}│\n`).join("");
  process.stdout.write(`╭${"─".repeat(width)}╮\n${rows}╰${"─".repeat(width)}╯\n`);
}
