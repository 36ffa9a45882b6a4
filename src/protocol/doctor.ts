/** One check of `GET /v1/doctor`, which answers `{ probes: DoctorProbe[] }`. */
export interface DoctorProbe {
  name: string;
  /** `degraded`: sandboxes run, with less than could be had. `missing`: they do not. */
  status: "ok" | "missing" | "degraded";
  detail: string;
  /** A command to paste, for each row that is not ok. */
  remedy?: string;
}
