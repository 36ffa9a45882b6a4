import { engineEventSchema } from "../engine-event.ts";
import { declareRoutes } from "../route.ts";

export const EVENT_ROUTES = declareRoutes({
  followEvents: {
    method: "GET",
    path: "/v1/events",
    summary:
      "Tells what happens to the caller's sandboxes, sessions and turns and what wants to leave, from now on or from behind `Last-Event-ID`.",
    since: 1,
    events: engineEventSchema,
  },
});
