/** An error on the wire: RFC 9457 problem details, sent as `application/problem+json`. */
export interface Problem {
  type: "about:blank";
  title: string;
  status: number;
  /** Stable code of `docs/errors.md`. */
  code: string;
  detail: string;
  hint: string;
  fault: "user" | "provider" | "internal";
  details?: Record<string, unknown>;
}
