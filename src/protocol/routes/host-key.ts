import { z } from "zod";
import { hostKeyListSchema, hostKeyQuerySchema } from "../host-key.ts";
import { declareRoutes } from "../route.ts";

export const HOST_KEY_ROUTES = declareRoutes({
  listHostKeys: {
    method: "GET",
    path: "/v1/sandboxes/{id}/host-keys",
    summary: "Lists the public keys that SSH servers of this moment offer as the sandbox's own.",
    since: 1,
    answer: hostKeyListSchema,
  },
  offerHostKey: {
    method: "GET",
    path: "/v1/sandboxes/{id}/host-keys/offer",
    summary:
      "Adds an SSH server's key to them for as long as this stream is open and the sandbox runs; it has no events.",
    since: 1,
    query: hostKeyQuerySchema,
    events: z.never().meta({ id: "HostKeyEvent" }),
  },
});
