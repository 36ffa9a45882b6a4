import type { ParsedArguments } from "./arguments.ts";
import type { Context } from "./context.ts";
import { CommandFailure } from "./failure.ts";
import type { Engine } from "./profile.ts";
import type { Turn } from "./turn.ts";

export const CHAT_GRAMMAR = {
  usage: "kiro-cli-chat chat [OPTIONS] [INPUT]",
  positionalsMax: 1,
  options: {
    "no-interactive": "flag",
    resume: "flag",
    "resume-id": "text",
    "list-sessions": "flag",
    "list-models": "flag",
    "delete-session": "text",
    format: "text",
    agent: "text",
    model: "text",
    effort: "text",
    "trust-all-tools": "flag",
    "trust-tools": "text",
    "require-mcp-startup": "flag",
    wrap: "text",
    "output-format": "text",
    "agent-engine": "text",
    v2: "flag",
    v3: "flag",
    classic: "flag",
    "legacy-ui": "flag",
    tui: "flag",
    help: "flag",
  },
  aliases: {
    "non-interactive": "no-interactive",
    r: "resume",
    l: "list-sessions",
    f: "format",
    a: "trust-all-tools",
    w: "wrap",
    h: "help",
    profile: "agent",
  },
} as const;

export function chooseEngine(context: Context, options: ParsedArguments): Engine {
  if (options.has("classic") || options.has("legacy-ui")) return "v1";
  if (options.has("v3")) return "v3";
  if (options.has("v2")) return "v2";
  const named = options.value("agent-engine") ?? context.settings.get("chat.agentEngine");
  if (named === undefined) return context.profile.engine;
  return (["v1", "v3"] as const).find((engine) => engine === named) ?? "v2";
}

export const MODELS = ["auto", "simulated-large"];

/** V1 refuses a model it does not know; the others warn and go on without it. */
export function readModel(options: ParsedArguments, engine: Engine): string | undefined {
  const model = options.value("model");
  if (model === undefined || MODELS.includes(model)) return model;
  if (engine === "v1") {
    const known = MODELS.join(", ");
    throw new CommandFailure(`Model '${model}' does not exist. Available models: ${known}`);
  }
  process.stderr.write(`[warn] failed to set model '${model}': Method not found\n`);
  return undefined;
}

export function isResuming(options: ParsedArguments): boolean {
  return options.has("resume") || options.has("resume-id");
}

export function readTrust(options: ParsedArguments): Turn["trust"] {
  if (options.has("trust-all-tools")) return "all";
  return options
    .value("trust-tools")
    ?.split(",")
    .filter((name) => name !== "");
}

/** Without a terminal the whole of stdin is the prompt. */
export async function readPipe(): Promise<string | undefined> {
  if (process.stdin.isTTY) return undefined;
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString().trim();
  return text === "" ? undefined : text;
}
