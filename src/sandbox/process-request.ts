import type { Exec } from "../protocol/process.ts";
import type { ProcessRequest } from "./process.ts";

/** What a provider is asked to run, of what the API was asked for. */
export function toProcessRequest(exec: Exec): ProcessRequest {
  const { argv, cwd, environment, secrets, terminal } = exec;
  return {
    argv,
    ...(cwd === undefined ? {} : { cwd }),
    ...(environment === undefined ? {} : { environment }),
    ...(secrets === undefined ? {} : { secrets }),
    ...(terminal === undefined ? {} : { terminal }),
  };
}
