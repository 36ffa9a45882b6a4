import { closeSync, fchmodSync, fstatSync, openSync, renameSync, writeSync } from "node:fs";
import pino from "pino";

export type LogFields = Readonly<Record<string, unknown>>;

/** Fields must never hold a secret, a prompt or what an agent wrote. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

export interface LogFile extends Logger {
  close(): void;
}

export interface LogFileOptions {
  path: string;
  /** Then the file becomes `<path>.1`, in place of an older one. Default 8 MiB. */
  bytesMax?: number;
  level?: "debug" | "info" | "warn" | "error";
}

export const SILENT_LOGGER: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

/** JSON lines in a file that only its owner reads, of bounded size. */
export function openLogFile(options: LogFileOptions): LogFile {
  const { path, bytesMax = 8 * 1024 * 1024, level = "info" } = options;
  let file = openAppending(path);
  const write = (line: string): void => {
    const bytes = Buffer.from(line);
    if (file.size > 0 && file.size + bytes.length > bytesMax) {
      closeSync(file.fd);
      renameSync(path, `${path}.1`);
      file = openAppending(path);
    }
    file.size += writeUnlessFull(file.fd, bytes);
  };
  const log = pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, { write });
  return {
    debug: (message, fields) => log.debug(plain(fields), message),
    info: (message, fields) => log.info(plain(fields), message),
    warn: (message, fields) => log.warn(plain(fields), message),
    error: (message, fields) => log.error(plain(fields), message),
    close: () => closeSync(file.fd),
  };
}

function openAppending(path: string): { fd: number; size: number } {
  const fd = openSync(path, "a", 0o600);
  fchmodSync(fd, 0o600);
  return { fd, size: fstatSync(fd).size };
}

/** A full disk costs log lines and nothing else. */
function writeUnlessFull(fd: number, bytes: Buffer): number {
  try {
    return writeSync(fd, bytes);
  } catch (error) {
    if (["ENOSPC", "EDQUOT"].includes(String((error as NodeJS.ErrnoException).code))) return 0;
    throw error;
  }
}

/** An error's stack, code and causes, since JSON shows nothing of an Error. */
function plain(fields: LogFields = {}): Record<string, unknown> {
  const entries = Object.entries(fields);
  return Object.fromEntries(entries.map(([key, value]) => [key, describe(value)]));
}

function describe(value: unknown): unknown {
  if (!(value instanceof Error)) return value;
  const code = (value as { code?: unknown }).code;
  const { cause } = value;
  return {
    message: value.message,
    ...(code === undefined ? {} : { code }),
    stack: value.stack,
    ...(cause === undefined ? {} : { cause: describe(cause) }),
  };
}
