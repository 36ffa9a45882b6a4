import type { Context } from "./context.ts";
import { authorisation } from "./credentials.ts";
import type { Credentials } from "./credentials.ts";
import type { ToolCall } from "./conversation.ts";
import { DispatchFailure } from "./network.ts";

export type ModelEvent =
  | { kind: "text"; text: string }
  | { kind: "tool"; tool: ToolCall }
  | { kind: "credits"; credits: number }
  | { kind: "split"; chunkBytes: number };

/** The service answered, or stopped answering, with a refusal; `text` is what a person is told. */
export class ServiceRefusal extends Error {
  readonly text: string;

  constructor(text: string) {
    super(text);
    this.text = text;
  }
}

const HOME_REGION = "us-east-1";
const NEW_SERVICE_REGIONS = ["us-east-1", "eu-central-1"];

export interface Ask {
  credentials: Credentials;
  body: Record<string, unknown>;
  signal: AbortSignal;
}

/** Sends the conversation and yields the answer as it streams. */
export async function* askModel(context: Context, ask: Ask): AsyncGenerator<ModelEvent> {
  const response = await context.network.open({
    host: runtimeHost(context),
    path: "/generateAssistantResponse",
    headers: authorisation(ask.credentials),
    body: ask.body,
    signal: ask.signal,
  });
  if (response.statusCode !== 200) {
    const chunks: Buffer[] = [];
    for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
    throw new ServiceRefusal(explain(Buffer.concat(chunks).toString()));
  }
  let isWhole = false;
  for await (const line of readLines(response)) {
    const event = readEvent(JSON.parse(line) as StreamEvent);
    if (event === undefined) continue;
    isWhole ||= event.kind === "credits";
    yield event;
  }
  ask.signal.throwIfAborted();
  if (!isWhole) throw new ServiceRefusal(TROUBLE);
}

/** Of the region of the profile that was chosen at the sign-in; GovCloud has the older service only. */
function runtimeHost(context: Context): string {
  const profile = context.database().state("api.codewhisperer.profile") as
    | { arn: string }
    | undefined;
  const region = profile?.arn.split(":")[3] ?? HOME_REGION;
  return NEW_SERVICE_REGIONS.includes(region)
    ? `runtime.${region}.kiro.dev`
    : `q-fips.${region}.amazonaws.com`;
}

/** Whole lines; a connection that breaks ends them, and the caller notices what is missing. */
async function* readLines(response: AsyncIterable<Buffer>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let held = "";
  try {
    for await (const bytes of response) {
      const lines = (held + decoder.decode(bytes, { stream: true })).split("\n");
      held = lines.pop() ?? "";
      yield* lines;
    }
  } catch (error) {
    const { code, name } = error as NodeJS.ErrnoException;
    if (code !== "ECONNRESET" && name !== "AbortError") throw error;
  }
}

interface StreamEvent {
  assistantResponseEvent?: { content: string };
  toolUseEvent?: { toolUseId: string; name: string; input: Record<string, unknown> };
  meteringEvent?: { usage: number };
  simulatorEvent?: { chunkBytes: number };
}

function readEvent(event: StreamEvent): ModelEvent | undefined {
  if (event.assistantResponseEvent !== undefined) {
    return { kind: "text", text: event.assistantResponseEvent.content };
  }
  if (event.toolUseEvent !== undefined) {
    const { toolUseId: id, name, input: args } = event.toolUseEvent;
    return { kind: "tool", tool: { id, name, args } };
  }
  if (event.meteringEvent !== undefined) {
    return { kind: "credits", credits: event.meteringEvent.usage };
  }
  if (event.simulatorEvent !== undefined) return { kind: "split", ...event.simulatorEvent };
  return undefined;
}

/** What follows the colon is the simulator's wording. */
const TROUBLE =
  "Kiro is having trouble responding right now: \n    The service did not answer in full.";

const EXPIRED = [
  "Authentication Error",
  "Your login session has expired. Please log in again using:",
  "    kiro-cli login",
].join("\n");

function explain(body: string): string {
  const { reason, message } = JSON.parse(body) as { reason?: string; message?: string };
  switch (reason) {
    case "REQUEST_RATE_LIMIT":
      return (
        " ⚠️  Kiro rate limit reached:\n" +
        "    Request quota exceeded. Please wait a moment and try again."
      );
    case "INSUFFICIENT_MODEL_CAPACITY":
      return "The model you've selected is temporarily unavailable. Please relaunch with '--model <model_id>' to use a different model.";
    case "MONTHLY_REQUEST_COUNT":
      return `Monthly request limit reached\nThe limits reset on ${nextMonth()}/01.`;
    case "EXPIRED_TOKEN":
      return EXPIRED;
    default:
      return `Kiro is having trouble responding right now: \n    ${message ?? "no details"}`;
  }
}

function nextMonth(): string {
  return String(((new Date().getUTCMonth() + 1) % 12) + 1).padStart(2, "0");
}

/** An unreachable service is told to a person in the same place as a refusal. */
export function explainFailure(error: unknown): string | undefined {
  if (error instanceof ServiceRefusal) return error.text;
  if (error instanceof DispatchFailure) {
    return `Kiro is having trouble responding right now: \n    ${error.message}`;
  }
  return undefined;
}
