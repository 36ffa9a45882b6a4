import { declareRoutes } from "../route.ts";
import {
  sessionCreateSchema,
  sessionEventSchema,
  sessionListSchema,
  sessionSchema,
  turnCreateSchema,
  turnEventSchema,
} from "../session.ts";

export const SESSION_ROUTES = declareRoutes({
  createSession: {
    method: "POST",
    path: "/v1/sandboxes/{id}/sessions",
    summary: "Begins an agent's life in a running sandbox.",
    since: 0,
    status: 201,
    body: sessionCreateSchema,
    answer: sessionSchema,
  },
  listSessions: {
    method: "GET",
    path: "/v1/sandboxes/{id}/sessions",
    summary: "Lists a sandbox's sessions, oldest first.",
    since: 0,
    answer: sessionListSchema,
  },
  getSession: {
    method: "GET",
    path: "/v1/sessions/{id}",
    summary: "Shows a session.",
    since: 0,
    answer: sessionSchema,
  },
  endSession: {
    method: "DELETE",
    path: "/v1/sessions/{id}",
    summary: "Kills what the session runs.",
    since: 0,
    status: 204,
  },
  followSession: {
    method: "GET",
    path: "/v1/sessions/{id}/events",
    summary: "Tells the session's events from the first on, however late the reader comes.",
    since: 0,
    events: sessionEventSchema,
  },
  runTurn: {
    method: "POST",
    path: "/v1/sessions/{id}/turns",
    summary: "Runs one prompt and tells how it goes; closing the stream cancels the turn.",
    since: 0,
    body: turnCreateSchema,
    events: turnEventSchema,
  },
  cancelTurn: {
    method: "POST",
    path: "/v1/sessions/{id}/turns/{turnId}/cancel",
    summary: "Interrupts a turn, which ends as cancelled; the conversation is kept.",
    since: 0,
    status: 204,
  },
});
