import { z } from "zod";
import { changeApplySchema, changeListSchema, changesAppliedSchema } from "../changes.ts";
import { declareRoutes } from "../route.ts";

const listQuerySchema = z
  .strictObject({
    /** `1`: with the changed lines of texts. */
    hunks: z.enum(["0", "1"]).optional(),
    /** A file, or a directory with all below; may be repeated. Default: everything. */
    path: z.union([z.string(), z.array(z.string())]).optional(),
  })
  .meta({ id: "ChangeQuery" });

export const CHANGE_ROUTES = declareRoutes({
  listChanges: {
    method: "GET",
    path: "/v1/sandboxes/{id}/changes",
    summary: "Lists what a sandbox in mode `overlay` changed and the host does not have.",
    since: 1,
    query: listQuerySchema,
    answer: changeListSchema,
  },
  applyChanges: {
    method: "POST",
    path: "/v1/sandboxes/{id}/changes/apply",
    summary:
      "Brings changes to the host's workspace: all that were asked for and are not held, or none.",
    since: 1,
    body: changeApplySchema,
    answer: changesAppliedSchema,
  },
  discardChanges: {
    method: "POST",
    path: "/v1/sandboxes/{id}/changes/discard",
    summary: "Drops every change of a stopped sandbox.",
    since: 1,
    status: 204,
  },
});
