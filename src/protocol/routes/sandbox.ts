import { z } from "zod";
import { egressRecordSchema } from "../egress.ts";
import { fetchedSchema, fetchSchema } from "../fetch.ts";
import { execSchema, processStartedSchema } from "../process.ts";
import { recordingListSchema } from "../recording.ts";
import { removalQuerySchema } from "../changes.ts";
import { declareRoutes } from "../route.ts";
import {
  sandboxCreateSchema,
  sandboxListSchema,
  sandboxSchema,
  sandboxStartSchema,
} from "../sandbox.ts";
import { startEventSchema } from "../start-event.ts";

const egressQuerySchema = z
  .strictObject({
    /** `1`: answered as server-sent events that go on with each new record. */
    follow: z.enum(["0", "1"]).optional(),
  })
  .meta({ id: "EgressQuery" });

export const SANDBOX_ROUTES = declareRoutes({
  listSandboxes: {
    method: "GET",
    path: "/v1/sandboxes",
    summary: "Lists the caller's sandboxes.",
    since: 0,
    answer: sandboxListSchema,
  },
  createSandbox: {
    method: "POST",
    path: "/v1/sandboxes",
    summary: "Makes a sandbox (201), or finds the one that this request made before (200).",
    since: 0,
    status: 201,
    also: 200,
    body: sandboxCreateSchema,
    answer: sandboxSchema,
  },
  getSandbox: {
    method: "GET",
    path: "/v1/sandboxes/{id}",
    summary: "Shows a sandbox, by id or by name.",
    since: 0,
    answer: sandboxSchema,
  },
  removeSandbox: {
    method: "DELETE",
    path: "/v1/sandboxes/{id}",
    summary: "Ends its sessions, stops it and removes every byte of it.",
    since: 0,
    query: removalQuerySchema,
    status: 204,
  },
  startSandbox: {
    method: "POST",
    path: "/v1/sandboxes/{id}/start",
    summary: "Starts it; with `accept: text/event-stream` the steps are told as events.",
    since: 0,
    body: sandboxStartSchema,
    answer: sandboxSchema,
    events: startEventSchema,
  },
  stopSandbox: {
    method: "POST",
    path: "/v1/sandboxes/{id}/stop",
    summary: "Ends its processes and keeps the rest.",
    since: 0,
    answer: sandboxSchema,
  },
  fetchFromSandbox: {
    method: "POST",
    path: "/v1/sandboxes/{id}/fetch",
    summary: "Mode `clone`: brings its work into a branch of the user's repository.",
    since: 1,
    body: fetchSchema,
    answer: fetchedSchema,
  },
  executeInSandbox: {
    method: "POST",
    path: "/v1/sandboxes/{id}/exec",
    summary: "Starts a process inside; attach to its terminal for input and output.",
    since: 0,
    status: 201,
    body: execSchema,
    answer: processStartedSchema,
  },
  leaseSandbox: {
    method: "GET",
    path: "/v1/sandboxes/{id}/lease",
    summary:
      "Keeps an ephemeral sandbox alive for as long as this stream is open; it has no events.",
    since: 0,
    events: z.never().meta({ id: "LeaseEvent" }),
  },
  keepSandbox: {
    method: "POST",
    path: "/v1/sandboxes/{id}/keep",
    summary: "Lets an ephemeral sandbox stay until it is removed.",
    since: 1,
    answer: sandboxSchema,
  },
  listRecordings: {
    method: "GET",
    path: "/v1/sandboxes/{id}/recordings",
    summary: "Lists what was recorded of its terminals, oldest first.",
    since: 1,
    answer: recordingListSchema,
  },
  readRecording: {
    method: "GET",
    path: "/v1/sandboxes/{id}/recordings/{recordingId}",
    summary: "Reads one recording, an asciicast of version 2.",
    since: 1,
    download: "application/x-asciicast",
  },
  readEgress: {
    method: "GET",
    path: "/v1/sandboxes/{id}/egress",
    summary: "Reads every recorded decision about what wanted to leave, oldest first.",
    since: 0,
    query: egressQuerySchema,
    lines: egressRecordSchema,
    events: egressRecordSchema,
  },
});
