import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { readJson, sendJson } from "./exchange.ts";
import type { Exchange, JsonObject } from "./exchange.ts";
import { continueScript } from "./script.ts";
import type { Conversation, ServiceFailure, Step } from "./script.ts";
import type { Tokens } from "./tokens.ts";

export interface Runtime {
  tokens: Tokens;
  apiKeys: readonly string[];
  /** Between two words of an answer; 0 streams as fast as the reader reads. */
  paceMs: number;
  /** A failure every request meets, as if the service were down; undefined when it is well. */
  failure: ServiceFailure | undefined;
  creditsUsed: number;
  /** Requests that wait for each other. */
  meeting: { arrived: number; released: Promise<void>; release(): void };
}

const CREDITS_PER_REQUEST = 0.03;
const FLOOD_LINE = `${"0123456789abcdef".repeat(4)}\n`;

const REFUSALS: Readonly<
  Record<Exclude<ServiceFailure, "disconnect">, { status: number; type: string; reason: string }>
> = {
  "rate-limit": { status: 429, type: "ThrottlingException", reason: "REQUEST_RATE_LIMIT" },
  overloaded: { status: 503, type: "ServiceUnavailableException", reason: "OVERLOADED" },
  "monthly-limit": { status: 429, type: "ThrottlingException", reason: "MONTHLY_REQUEST_COUNT" },
  "expired-session": { status: 403, type: "ExpiredTokenException", reason: "EXPIRED_TOKEN" },
  "model-unavailable": {
    status: 429,
    type: "ThrottlingException",
    reason: "INSUFFICIENT_MODEL_CAPACITY",
  },
};

/** Whether a request carries a token or key of this cloud. */
export function isAuthorised(exchange: Exchange, runtime: Runtime): boolean {
  const { authorization = "", tokentype } = exchange.request.headers;
  const bearer = authorization.replace(/^Bearer /, "");
  if (tokentype === "API_KEY") return runtime.apiKeys.includes(bearer);
  return runtime.tokens.methodOf(bearer) !== undefined;
}

/**
 * `POST /generateAssistantResponse`: the scripted model. It answers from the conversation in the
 * request alone; between two requests it remembers nothing.
 */
export async function serveRuntime(exchange: Exchange, runtime: Runtime): Promise<void> {
  if (!isAuthorised(exchange, runtime)) return refuse(exchange, "expired-session");
  if (exchange.url.pathname !== "/generateAssistantResponse") {
    return sendJson(exchange, 404, { message: "unknown operation" });
  }
  const steps = continueScript(readConversation(await readJson(exchange)));
  const failed = steps.find((step) => step.kind === "fail");
  const failure = runtime.failure ?? failed?.failure;
  if (failure !== undefined && failure !== "disconnect") return refuse(exchange, failure);
  exchange.response.writeHead(200, { "content-type": "application/x-ndjson" });
  exchange.response.flushHeaders();
  if (failure === "disconnect") {
    await write(exchange, { assistantResponseEvent: { content: "I was about to " } });
    exchange.response.destroy();
    return;
  }
  for (const step of steps) await stream(exchange, { step, runtime });
  runtime.creditsUsed += CREDITS_PER_REQUEST;
  await write(exchange, { meteringEvent: { unit: "credit", usage: CREDITS_PER_REQUEST } });
  exchange.response.end();
}

function refuse(exchange: Exchange, failure: Exclude<ServiceFailure, "disconnect">): void {
  const { status, type, reason } = REFUSALS[failure];
  exchange.response.setHeader("x-amzn-errortype", type);
  return sendJson(exchange, status, { __type: type, reason, message: `simulated: ${failure}` });
}

async function stream(
  exchange: Exchange,
  { step, runtime }: { step: Step; runtime: Runtime },
): Promise<void> {
  switch (step.kind) {
    case "say":
      return streamText(exchange, step.text, runtime.paceMs);
    case "tool":
      return write(exchange, { toolUseEvent: { toolUseId: newToolUseId(), ...step.tool } });
    case "pause":
      return pause(exchange, step.durationMs);
    case "flood":
      return flood(exchange, step.bytes);
    case "split":
      return write(exchange, { simulatorEvent: { chunkBytes: step.bytes } });
    case "meet":
      return meet(exchange, runtime, step.count);
    case "fail":
      return;
  }
}

function newToolUseId(): string {
  return `tooluse_${crypto.randomUUID().replaceAll("-", "").slice(0, 22)}`;
}

async function streamText(exchange: Exchange, text: string, paceMs: number): Promise<void> {
  for (const content of text.match(/\s*\S+\s*|\s+/g) ?? []) {
    await write(exchange, { assistantResponseEvent: { content } });
    if (paceMs > 0) await pause(exchange, paceMs);
  }
}

async function flood(exchange: Exchange, bytes: number): Promise<void> {
  const block = FLOOD_LINE.repeat(1000);
  for (let left = bytes; left > 0; left -= block.length) {
    await write(exchange, { assistantResponseEvent: { content: block.slice(0, left) } });
  }
}

/** Ends early when the client goes away, so that a long silence holds nothing up at close. */
async function pause(exchange: Exchange, durationMs: number): Promise<void> {
  const abort = new AbortController();
  const onClose = (): void => abort.abort();
  exchange.response.once("close", onClose);
  try {
    await delay(durationMs, undefined, { signal: abort.signal });
  } catch (error) {
    if ((error as Error).name !== "AbortError") throw error;
  } finally {
    exchange.response.off("close", onClose);
  }
}

export function openMeeting(): Runtime["meeting"] {
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  return { arrived: 0, released, release };
}

/** Nobody goes on before so many wait here at once: proof that they run side by side. */
async function meet(exchange: Exchange, runtime: Runtime, count: number): Promise<void> {
  const { meeting } = runtime;
  meeting.arrived += 1;
  if (meeting.arrived >= count) {
    runtime.meeting = openMeeting();
    meeting.release();
    return;
  }
  await Promise.race([meeting.released, once(exchange.response, "close")]);
}

async function write(exchange: Exchange, event: JsonObject): Promise<void> {
  const { response } = exchange;
  if (response.destroyed) throw new Error("The client went away.");
  if (response.write(`${JSON.stringify(event)}\n`)) return;
  const settled = new AbortController();
  const { signal } = settled;
  // Whichever comes first; the other listener goes with the signal.
  await Promise.race([once(response, "drain", { signal }), once(response, "close", { signal })]);
  settled.abort();
}

/** Reads prompts and tool results from the request, which has the shape of CodeWhisperer's. */
function readConversation(body: JsonObject): Conversation {
  const state = (body["conversationState"] ?? {}) as {
    currentMessage?: Message;
    history?: readonly Message[];
  };
  const messages = [...(state.history ?? []), state.currentMessage ?? {}];
  const prompts: string[] = [];
  let toolResults = 0;
  for (const { userInputMessage } of messages) {
    if (userInputMessage === undefined) continue;
    const results = userInputMessage.userInputMessageContext?.toolResults ?? [];
    if (results.length > 0) {
      toolResults += results.length;
      continue;
    }
    prompts.push(userInputMessage.content ?? "");
    toolResults = 0;
  }
  const { modelId: model, contextFiles } = state.currentMessage?.userInputMessage ?? {};
  return { prompts, toolResults, model, contextFiles };
}

interface Message {
  userInputMessage?: {
    content?: string;
    modelId?: string;
    contextFiles?: readonly { path: string; text: string }[];
    userInputMessageContext?: { toolResults?: readonly unknown[] };
  };
}
