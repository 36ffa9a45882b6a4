/** Which part of the service answers: each has a form of its own for errors. */
export type Origin = "api" | "daemon" | "proxy";

const NAMES: Readonly<Record<number, string>> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  408: "Request Timeout",
  409: "Conflict",
  410: "Gone",
  422: "Unprocessable Entity",
  429: "Too Many Requests",
  500: "Internal Server Error",
  502: "Bad Gateway",
  503: "Service Unavailable",
};

const SOURCES: Readonly<Record<Exclude<Origin, "api">, string>> = {
  daemon: "DAYTONA_DAEMON",
  proxy: "DAYTONA_PROXY",
};

export interface RefusalOptions {
  code?: string;
  headers?: Readonly<Record<string, string>>;
}

/** An answer that is an error of the service. */
export class Refusal extends Error {
  readonly origin: Origin;
  readonly status: number;
  readonly code: string | undefined;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    [origin, status]: readonly [Origin, number],
    message: string,
    options: RefusalOptions = {},
  ) {
    super(message);
    this.origin = origin;
    this.status = status;
    this.code = options.code;
    this.headers = options.headers ?? {};
  }

  /** The body of the answer. */
  toJson({ method, path, date }: { method: string; path: string; date: Date }): object {
    const { status: statusCode, message, origin } = this;
    const timestamp = date.toISOString();
    if (origin === "api") {
      return { path, timestamp, statusCode, error: statusName(statusCode), message };
    }
    const code = this.code ?? statusName(statusCode).toUpperCase().replaceAll(" ", "_");
    return { statusCode, message, code, source: SOURCES[origin], timestamp, path, method };
  }
}

export function statusName(status: number): string {
  return NAMES[status] ?? "Error";
}
