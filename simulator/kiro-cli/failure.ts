/** Ends the program with `error: <message>` on stderr, as every run-time failure does; status 1. */
export class CommandFailure extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Ends the program with a status and no text of its own: what there was to say has been said. */
export class QuietExit extends Error {
  readonly exitCode: number;

  constructor(exitCode: number) {
    super(`exit ${String(exitCode)}`);
    this.exitCode = exitCode;
  }
}
