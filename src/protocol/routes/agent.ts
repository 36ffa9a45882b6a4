import { agentFileSchema, agentListSchema, agentSummarySchema } from "../agent.ts";
import { declareRoutes } from "../route.ts";

export const AGENT_ROUTES = declareRoutes({
  listAgents: {
    method: "GET",
    path: "/v1/agents",
    summary: "Lists the agents that can be run, and those whose files are wrong.",
    since: 0,
    answer: agentListSchema,
  },
  addAgent: {
    method: "PUT",
    path: "/v1/agents/{id}",
    summary: "Keeps the file that describes an agent of the owner's, in place of an earlier one.",
    since: 1,
    body: agentFileSchema,
    answer: agentSummarySchema,
  },
  removeAgent: {
    method: "DELETE",
    path: "/v1/agents/{id}",
    summary: "Removes the file of an agent of the owner's; what it installed stays until prune.",
    since: 1,
    status: 204,
  },
});
