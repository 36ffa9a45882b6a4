import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { isRemoteSession, openBrowser } from "./browser.ts";
import type { Context } from "./context.ts";
import { CommandFailure, QuietExit } from "./failure.ts";
import type { Answer } from "./network.ts";
import { startSpinner } from "./spinner.ts";

/** Where and how one kind of account asks for its token. */
export interface DeviceClient {
  host: string;
  start: { path: string; body: Record<string, unknown> };
  token: { path: string; body: Record<string, unknown> };
}

const GRANT = "urn:ietf:params:oauth:grant-type:device_code";

/** Shows the code, waits for the approval, and returns the token answer. */
export async function runDeviceFlow(
  context: Context,
  client: DeviceClient,
): Promise<Answer["body"]> {
  const started = await context.network.post({ host: client.host, ...client.start });
  if (started.status !== 200) throw new CommandFailure(describeError(started));
  const { userCode, verificationUriComplete: address, deviceCode, interval } = started.body;
  process.stdout.write(
    `\nConfirm the following code in the browser\nCode: ${String(userCode)}\n\n`,
  );
  if (await showsAddress(context, String(address))) {
    process.stdout.write(`Open this URL: ${String(address)}\n`);
  }
  return pollUntilSettled(context, {
    client,
    body: { ...client.token.body, grantType: GRANT, deviceCode },
    intervalMs: Number(interval) * 1000,
    enterApproves: offersEnter(started.body),
  });
}

async function showsAddress(context: Context, address: string): Promise<boolean> {
  const { deviceUrl } = context.profile;
  if (deviceUrl === "never") return false;
  if (isRemoteSession(context.environment)) return true;
  return deviceUrl === "auto" && (await openBrowser(address)) !== undefined;
}

/** Only the simulated cloud offers this, for its demo; the program this stands in for has no such thing. */
function offersEnter(body: Answer["body"]): boolean {
  const simulator = body["simulator"] as { enterApproves?: boolean } | undefined;
  return simulator?.enterApproves === true && process.stdin.isTTY;
}

interface Poll {
  client: DeviceClient;
  body: Record<string, unknown>;
  intervalMs: number;
  enterApproves: boolean;
}

async function pollUntilSettled(context: Context, poll: Poll): Promise<Answer["body"]> {
  using stack = new DisposableStack();
  const interrupted = stack.use(watchInterrupts());
  const approval = stack.use(watchEnter(poll.enterApproves));
  stack.use(startSpinner("Logging in..."));
  while (true) {
    await delay(poll.intervalMs, undefined, { signal: interrupted.signal }).catch(quietly);
    if (interrupted.signal.aborted) throw new QuietExit(1);
    const answer = await context.network.post({
      host: poll.client.host,
      path: poll.client.token.path,
      body: poll.body,
      ...(approval.wasPressed() ? { headers: { "x-simulator-approve": "enter" } } : {}),
    });
    if (answer.status === 200) return answer.body;
    if (answer.errorType !== "AuthorizationPendingException") {
      throw new CommandFailure(describeError(answer));
    }
  }
}

function quietly(error: unknown): void {
  if ((error as Error).name !== "AbortError") throw error;
}

/** Ctrl-C and a closed terminal end the login in an orderly way: nothing but the registration stays. */
function watchInterrupts(): Disposable & { signal: AbortSignal } {
  const abort = new AbortController();
  const onSignal = (): void => abort.abort();
  process.on("SIGINT", onSignal).on("SIGHUP", onSignal);
  return {
    signal: abort.signal,
    [Symbol.dispose]() {
      process.off("SIGINT", onSignal).off("SIGHUP", onSignal);
    },
  };
}

function watchEnter(isOffered: boolean): Disposable & { wasPressed(): boolean } {
  let pressed = false;
  const onData = (bytes: Buffer): void => {
    pressed ||= /[\r\n]/.test(bytes.toString("latin1"));
  };
  if (isOffered) process.stdin.on("data", onData).resume();
  return {
    wasPressed: () => pressed,
    [Symbol.dispose]() {
      process.stdin.off("data", onData).pause();
    },
  };
}

/** The wording of a refused sign-in is the simulator's own: no record of Kiro's was found. */
export function describeError(answer: Answer): string {
  const { error_description: description, message } = answer.body;
  const type = answer.errorType === "" ? `HTTP ${String(answer.status)}` : answer.errorType;
  return `${type}: ${JSON.stringify(description ?? message ?? "")}`;
}

/** Waits for ever, as a sign-in that nobody approves does. */
export async function hangForever(): Promise<never> {
  const keepAlive = setInterval(() => undefined, 60_000);
  try {
    await once(process, "SIGINT");
  } finally {
    clearInterval(keepAlive);
  }
  throw new QuietExit(1);
}
