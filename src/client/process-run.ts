import type { Exec, TerminalEnding } from "../protocol/process.ts";
import type { Cattlegrid } from "./client.ts";

export interface FinishedProcess {
  ending: TerminalEnding;
  /** As the command line would exit. */
  exitCode: number;
  stdout: string;
  stderr: string;
}

/** Runs a program in a running sandbox to its end, with nothing to read, and keeps all that it writes. */
export async function runProcess(
  cattlegrid: Cattlegrid,
  sandbox: string,
  request: Exec,
): Promise<FinishedProcess> {
  const { terminalId } = await cattlegrid.executeInSandbox({ id: sandbox, body: request });
  await using terminal = await cattlegrid.attachTerminal(terminalId);
  terminal.endInput();
  const written = { output: [] as Uint8Array[], errors: [] as Uint8Array[] };
  for await (const { stream, bytes } of terminal.output) written[stream].push(bytes);
  const ending = await terminal.ended;
  const read = (chunks: readonly Uint8Array[]): string => Buffer.concat(chunks).toString("utf8");
  const { code: exitCode } = ending;
  return { ending, exitCode, stdout: read(written.output), stderr: read(written.errors) };
}
