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

/** What the checks of one sandbox provider came to; `missing`: it cannot be used here. */
export const providerHealthSchema = z
  .object({
    id: z.string(),
    status: z.enum(["ok", "missing", "degraded"]),
    probes: z.array(doctorProbeSchema).readonly(),
  })
  .meta({ id: "ProviderHealth" });
export type ProviderHealth = z.infer<typeof providerHealthSchema>;

export const doctorReportSchema = z
  .object({
    /** Of the default provider, and of what is no provider's. */
    probes: z.array(doctorProbeSchema).readonly(),
    /** All of them, the default first. */
    providers: z.array(providerHealthSchema).readonly().exactOptional(),
  })
  .meta({ id: "DoctorReport" });
export type DoctorReport = z.infer<typeof doctorReportSchema>;
