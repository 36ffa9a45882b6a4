import { portListSchema, portPublishSchema, publishedPortSchema } from "../port.ts";
import { declareRoutes } from "../route.ts";

export const PORT_ROUTES = declareRoutes({
  listPorts: {
    method: "GET",
    path: "/v1/sandboxes/{id}/ports",
    summary: "Lists the ports of a sandbox that this machine's loopback leads to.",
    since: 1,
    answer: portListSchema,
  },
  publishPort: {
    method: "POST",
    path: "/v1/sandboxes/{id}/ports",
    summary:
      "Publishes a port of a running sandbox on 127.0.0.1, until it is closed or the sandbox ends.",
    since: 1,
    status: 201,
    body: portPublishSchema,
    answer: publishedPortSchema,
  },
  connectPort: {
    method: "GET",
    path: "/v1/sandboxes/{id}/connections/{port}",
    summary: "Becomes a connection (`Upgrade: tcp`) to a port of the sandbox's own loopback.",
    since: 1,
    upgrade: "tcp",
  },
  closePort: {
    method: "DELETE",
    path: "/v1/sandboxes/{id}/ports/{hostPort}",
    summary: "Closes a published port and its connections.",
    since: 1,
    status: 204,
  },
});
