import { closeSync } from "node:fs";
import { openPipe } from "../../../../platform/native/descriptor.ts";
import { openInput } from "./program-input.ts";
import { specifyProcess } from "./process-specification.ts";
import { readPipe, type ProgramOutput } from "./program-output.ts";
import { RuntimeClient } from "../runtimes/runtime-client.ts";
import { explainStart, type ProcessStart, type StartedProgram } from "./started-program.ts";

/** Starts a program with three pipes. */
export async function startPiped(start: ProcessStart): Promise<StartedProgram> {
  const { target, request, signal } = start;
  const specification = specifyProcess(target, request);
  const [stdin, stdout, stderr] = [openPipe(), openPipe(), openPipe()];
  const client = await RuntimeClient.launch({
    target,
    specification,
    stdio: [stdin.readFd, stdout.writeFd, stderr.writeFd],
    extras: [],
  });
  for (const fd of [stdin.readFd, stdout.writeFd, stderr.writeFd]) closeSync(fd);
  const [output, errors] = [readPipe(stdout.readFd), readPipe(stderr.readFd)];
  const input = openInput(stdin.writeFd);
  try {
    await client.during(client.started, signal);
  } catch (error) {
    await client.abandon();
    const text = client.problem || (await readRest(errors));
    for (const stream of [output, errors, input]) stream.destroy();
    throw explainStart(start, error, text);
  }
  if (request.inputBytes !== undefined) input.end(request.inputBytes);
  return {
    client,
    output,
    errors,
    input,
    resize: () => undefined,
    foregroundGroup: () => undefined,
    letGo: () => undefined,
  };
}

/** What was written before anything could run: only the way to the runtime failed. */
async function readRest(errors: ProgramOutput): Promise<string> {
  errors.endProgram(true);
  let text = "";
  for await (const bytes of errors) text += String(bytes);
  return text.trim();
}
