import { prunableQuerySchema, prunableSchema, pruneSchema } from "../prune.ts";
import { declareRoutes } from "../route.ts";
import { sandboxRecreateSchema, sandboxRecreatedSchema } from "../sandbox.ts";

export const PRUNE_ROUTES = declareRoutes({
  listPrunable: {
    method: "GET",
    path: "/v1/prunable",
    summary: "Lists sandboxes that do not run, and agents, layers and bases that none stands on.",
    since: 1,
    query: prunableQuerySchema,
    answer: prunableSchema,
  },
  prune: {
    method: "POST",
    path: "/v1/prune",
    summary: "Removes what is named of these, and leaves what came into use meanwhile.",
    since: 1,
    body: pruneSchema,
    answer: prunableSchema,
  },
  recreateSandbox: {
    method: "POST",
    path: "/v1/sandboxes/{id}/recreate",
    summary: "Makes a sandbox anew under its name, with a fresh home; the old one goes last.",
    since: 1,
    body: sandboxRecreateSchema,
    answer: sandboxRecreatedSchema,
  },
});
