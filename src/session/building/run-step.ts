import { CattlegridError } from "../../errors/error.ts";
import type { StartEvent } from "../../protocol/start-event.ts";
import type { ThrowAwaySandbox } from "../../sandbox/life/throw-away.ts";
import { runCommand } from "../command.ts";
import type { BuildLog } from "./build-log.ts";
import type { BuildStep } from "./step.ts";

/** Of the output: what a message can show. */
const SHOWN_MAX = 4096;
/** What those who wait are told of one step: it is kept for whoever comes later, so a step must not make it endless. */
const TOLD_MAX = 1024 * 1024;

export interface StepPlace {
  step: BuildStep;
  box: Pick<ThrowAwaySandbox, "running">;
  log: BuildLog;
  signal: AbortSignal;
  report(event: StartEvent): void;
}

/** Runs one step to its end. Throws TEMPLATE_BUILD_FAILED, TIMED_OUT, or what the step knows better. */
export async function runStep({ step, box, log, signal, report }: StepPlace): Promise<void> {
  const decoder = new TextDecoder();
  const deadline = AbortSignal.timeout(step.timeoutMs);
  const began = performance.now();
  let end = "";
  let told = 0;
  const tell = (text: string): void => {
    if (told >= TOLD_MAX) return;
    told += text.length;
    report({ type: "build-delta", text });
    if (told < TOLD_MAX) return;
    report({ type: "build-delta", text: "\n[The rest is in the log.]\n" });
  };
  const onOutput = (bytes: Buffer): void => {
    log.write(bytes);
    const text = decoder.decode(bytes, { stream: true });
    end = (end + text).slice(-SHOWN_MAX);
    tell(text);
  };
  const { argv, environment } = step;
  let exitCode: number;
  try {
    const request = { argv, environment, ...(step.root ? { root: true } : {}) };
    const wanted = { request, signal: AbortSignal.any([signal, deadline]), onOutput };
    ({ exitCode } = await runCommand(box.running, wanted));
  } catch (error) {
    if (!deadline.aborted || signal.aborted) throw error;
    const message = `Step "${step.name}" took longer than ${Math.round(step.timeoutMs / 1000)} seconds.`;
    throw new CattlegridError("TIMED_OUT", message, {
      hint: "Give the step a longer `timeout`, or find out what it waits for.",
      details: { output: end },
    });
  }
  log.say(`ended with status ${exitCode} after ${Math.round(performance.now() - began)} ms`);
  if (exitCode === 0) return;
  const known = step.explain?.({ exitCode, output: end });
  if (known !== undefined) throw known;
  const message = `Step "${step.name}" ended with status ${exitCode}.`;
  throw new CattlegridError("TEMPLATE_BUILD_FAILED", message, {
    details: { exitCode, output: end },
  });
}
