import { z } from "zod";
import { acceptedSchema, daemonVersionSchema, totalRemovalSchema } from "../daemon.ts";
import { doctorReportSchema } from "../doctor.ts";
import { terminalNoticeSchema } from "../process.ts";
import { providerListSchema, providerVariablesSchema } from "../provider.ts";
import { recordingStartedSchema } from "../recording.ts";
import { declareRoutes } from "../route.ts";

const attachmentQuerySchema = z
  .strictObject({
    /** Byte of the output from which on it is sent. */
    offset: z.string().regex(/^\d+$/).optional(),
    /** `screen`: the screen as it is, then the exact bytes behind it. */
    view: z.enum(["bytes", "screen"]).optional(),
    /** `read`: the connection may change nothing. */
    access: z.enum(["use", "read"]).optional(),
    /** Of the viewer's window. */
    columns: z.string().regex(/^\d+$/).optional(),
    rows: z.string().regex(/^\d+$/).optional(),
  })
  .meta({ id: "AttachmentQuery" });

export const DAEMON_ROUTES = declareRoutes({
  getVersion: {
    method: "GET",
    path: "/v1/version",
    summary: "Says what serves this API, and in which version.",
    since: 0,
    answer: daemonVersionSchema,
  },
  getOpenApi: {
    method: "GET",
    path: "/v1/openapi.json",
    summary: "This API as an OpenAPI document.",
    since: 1,
    answer: z.record(z.string(), z.unknown()).meta({ id: "OpenApiDocument" }),
  },
  listProviders: {
    method: "GET",
    path: "/v1/providers",
    summary: "Lists the sandbox providers, with what each can do at most.",
    since: 1,
    answer: providerListSchema,
  },
  giveProviderVariables: {
    method: "PUT",
    path: "/v1/providers/{id}/variables",
    summary: "Tells a sandbox provider of the caller's account, until the daemon ends.",
    since: 1,
    body: providerVariablesSchema,
    status: 204,
  },
  runDoctor: {
    method: "GET",
    path: "/v1/doctor",
    summary: "Executes the checks of this machine.",
    since: 0,
    answer: doctorReportSchema,
  },
  shutDown: {
    method: "POST",
    path: "/v1/shutdown",
    summary: "Ends the daemon and what runs in it, once this is answered.",
    since: 0,
    status: 202,
    answer: acceptedSchema,
  },
  resetDaemon: {
    method: "POST",
    path: "/v1/reset",
    summary: "Removes every sandbox and layer, then ends the daemon.",
    since: 0,
    answer: totalRemovalSchema,
  },
  attachTerminal: {
    method: "GET",
    path: "/v1/terminals/{id}",
    summary:
      "Attaches a WebSocket to a terminal: binary messages are bytes, text is control; docs/api.md has the form.",
    since: 0,
    query: attachmentQuerySchema,
    events: terminalNoticeSchema,
    upgrade: "websocket",
  },
  recordTerminal: {
    method: "POST",
    path: "/v1/terminals/{id}/recording",
    summary: "Records an open terminal from here on, unless it is recorded already.",
    since: 1,
    answer: recordingStartedSchema,
  },
});
