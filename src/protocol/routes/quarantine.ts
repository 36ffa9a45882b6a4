import { quarantinedPathSchema, quarantineSchema } from "../quarantine.ts";
import { declareRoutes } from "../route.ts";

export const QUARANTINE_ROUTES = declareRoutes({
  listQuarantine: {
    method: "GET",
    path: "/v1/quarantine",
    summary: "Lists what sessions made for the host to run, which was moved out of workspaces.",
    since: 1,
    answer: quarantineSchema,
  },
  quarantineCreated: {
    method: "POST",
    path: "/v1/sandboxes/{id}/quarantine",
    summary:
      "Moves what the sandbox made for the host to run into quarantine now; lists all that is there of it.",
    since: 1,
    answer: quarantineSchema,
  },
  restoreQuarantined: {
    method: "POST",
    path: "/v1/quarantine/{id}/restore",
    summary: "Puts a path back into its workspace.",
    since: 1,
    answer: quarantinedPathSchema,
  },
  removeQuarantined: {
    method: "DELETE",
    path: "/v1/quarantine/{id}",
    summary: "Removes a path in quarantine for good.",
    since: 1,
    status: 204,
  },
});
