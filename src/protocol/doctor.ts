import { z } from "zod";

/** One check of `GET /v1/doctor`. */
export const doctorProbeSchema = z
  .object({
    name: z.string(),
    /** `degraded`: sandboxes run, with less than could be had. `missing`: they do not. */
    status: z.enum(["ok", "missing", "degraded"]),
    detail: z.string(),
    /** A command to paste, for each row that is not ok. */
    remedy: z.string().exactOptional(),
  })
  .meta({ id: "DoctorProbe" });
export type DoctorProbe = z.infer<typeof doctorProbeSchema>;

export const doctorReportSchema = z
  .object({ probes: z.array(doctorProbeSchema).readonly() })
  .meta({ id: "DoctorReport" });
