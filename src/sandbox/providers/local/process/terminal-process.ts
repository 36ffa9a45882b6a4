import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { closeSync } from "node:fs";
import { join } from "node:path";
import { assert, CattlegridError } from "../../../../errors/error.ts";
import { ConsoleSocket } from "../../../../platform/console-socket.ts";
import { ExtraPipes } from "./extra-descriptors.ts";
import {
  extraDescriptors,
  GATE_DENIED,
  GATE_FOUND,
  specifyProcess,
} from "./process-specification.ts";
import { openInput } from "./program-input.ts";
import { readPipe } from "./program-output.ts";
import { RuntimeClient } from "../runtimes/runtime-client.ts";
import { explainStart, type ProcessStart, type StartedProgram } from "./started-program.ts";
import { TerminalMaster } from "./terminal-master.ts";

const COMPLAINTS_LENGTH_MAX = 4096;
const ERRORS_DESCRIPTOR = 2;
const GATE_DESCRIPTOR = 3;

export interface TerminalStart extends ProcessStart {
  client: RuntimeClient;
  extras: ExtraPipes;
}

/** Starts a program on a terminal of its own, whose master comes through a socket. */
export async function startInTerminal(start: ProcessStart): Promise<StartedProgram> {
  const { target, request, signal } = start;
  const specification = specifyProcess(target, request);
  const consolePath = join(target.scratchDirectory, randomBytes(6).toString("hex"));
  const consoleSocket = await ConsoleSocket.open(consolePath);
  const extras = new ExtraPipes(extraDescriptors(request));
  const client = await RuntimeClient.launch({
    target,
    specification,
    stdio: ["null", "null", "channel"],
    extras: extras.descriptors,
    consolePath,
  });
  extras.closeGiven();
  const readComplaints = collectComplaints(client);
  const received = consoleSocket.receive();
  let master: TerminalMaster | undefined;
  try {
    master = new TerminalMaster(await client.during(received, signal));
    return await openProgram({ ...start, client, extras }, master);
  } catch (error) {
    await client.abandon();
    master?.close();
    // The master of a start that came to nothing may still arrive.
    if (master === undefined) void received.then(closeSync, expectNoTerminal);
    throw explainStart(start, error, client.problem || readComplaints());
  } finally {
    extras.close();
    consoleSocket.close();
  }
}

export async function openProgram(
  start: TerminalStart,
  master: TerminalMaster,
): Promise<StartedProgram> {
  const { client, extras, request, signal } = start;
  await client.during(client.started, signal);
  if (request.terminal?.rawOutput === true) master.disableOutputProcessing();
  // The runtime sets the size too, but only once the program runs.
  if (request.terminal !== undefined) master.resize(request.terminal);
  if (extras.descriptors.length > 0) await client.during(passGate(start), signal);
  const errorsFd = extras.take("errors");
  const inputFd = extras.take("input");
  if (inputFd !== undefined) openInput(inputFd).end(request.inputBytes);
  return {
    client,
    output: master.output,
    errors: errorsFd === undefined ? undefined : readPipe(errorsFd),
    input: master.input,
    resize: (size) => master.resize(size),
    foregroundGroup: () => master.foregroundGroup(),
    letGo: () => master.letGo(),
  };
}

/** The program waits at the gate until its terminal is set up; what it found on the way there comes first. */
async function passGate({ client, request }: TerminalStart): Promise<void> {
  const gate = client.child?.channels.get(GATE_DESCRIPTOR);
  assert(gate !== undefined, "a program without its gate");
  const [answer] = (await Promise.race([once(gate, "data"), once(gate, "end")])) as [Buffer?];
  // Whatever could not become the program has left the gate, perhaps while it is being opened.
  gate.on("error", () => undefined);
  if (!gate.writableEnded) gate.end("\n");
  if (answer?.toString() === GATE_FOUND) return;
  const [program = ""] = request.argv;
  if (answer?.toString() === GATE_DENIED) {
    const message = `The program ${program} cannot be executed inside the sandbox.`;
    throw new CattlegridError("COMMAND_NOT_EXECUTABLE", message);
  }
  const message = `The program ${program} was not found inside the sandbox.`;
  throw new CattlegridError("COMMAND_NOT_FOUND", message);
}

/** What the way to the runtime says; the program itself has no such stream. */
function collectComplaints(client: RuntimeClient): () => string {
  let text = "";
  client.child?.channels.get(ERRORS_DESCRIPTOR)?.on("data", (bytes: Buffer) => {
    text = (text + bytes.toString()).slice(0, COMPLAINTS_LENGTH_MAX);
  });
  return () => text.trim();
}

function expectNoTerminal(error: unknown): void {
  if (!CattlegridError.is(error)) throw error;
}
