import { ERROR_CODES, type ErrorCode, type Fault } from "./codes.ts";

const BRAND = Symbol.for("cattlegrid.error");

export interface ErrorOptions {
  /** Overrides the registry's default hint: what the reader can do about it. */
  hint?: string;
  /** Facts about this occurrence; must never hold a secret. */
  details?: Record<string, unknown>;
  cause?: unknown;
}

/** The one error class: a stable `code`, what happened, and what to do about it. */
export class CattlegridError extends Error {
  readonly code: ErrorCode;
  readonly hint: string;
  readonly fault: Fault;
  readonly details: Record<string, unknown>;

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "CattlegridError";
    this.code = code;
    this.hint = options.hint ?? ERROR_CODES[code].hint;
    this.fault = ERROR_CODES[code].fault;
    this.details = options.details ?? {};
    Object.defineProperty(this, BRAND, { value: true });
  }

  /** Recognises the error across two loaded copies of this package, where `instanceof` fails. */
  static is(value: unknown, code?: ErrorCode): value is CattlegridError {
    if (typeof value !== "object" || value === null || !(BRAND in value)) return false;
    return code === undefined || (value as { code?: unknown }).code === code;
  }
}

/** Wraps anything thrown as a CattlegridError, keeping one that already is. */
export function asCattlegridError(value: unknown, code: ErrorCode = "INTERNAL"): CattlegridError {
  if (CattlegridError.is(value)) return value;
  const message = value instanceof Error ? value.message : String(value);
  return new CattlegridError(code, message, { cause: value });
}

/** States what cannot be otherwise; a failure is a bug of ours. */
export function assert(condition: unknown, why: string): asserts condition {
  if (!condition) throw new CattlegridError("INTERNAL", why);
}
