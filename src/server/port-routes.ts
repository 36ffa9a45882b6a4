import { CattlegridError } from "../errors/error.ts";
import { PORT_ROUTES } from "../protocol/routes/port.ts";
import { openSandbox, type Api } from "./api.ts";
import { serve } from "./serve.ts";

export function addPortRoutes(api: Api): void {
  const { sandboxes } = api.engine;

  serve(api, PORT_ROUTES.listPorts, async ({ request }) => {
    const { id } = await openSandbox(api, request, "read");
    return { ports: sandboxes.ports.list(id) };
  });

  serve(api, PORT_ROUTES.publishPort, async ({ request, body }) => {
    const { id } = await openSandbox(api, request, "use");
    return sandboxes.ports.publish(id, body());
  });

  serve(api, PORT_ROUTES.closePort, async ({ request }) => {
    const { id } = await openSandbox(api, request, "use");
    const { hostPort } = request.params;
    if (await sandboxes.ports.close(id, Number(hostPort))) return;
    const message = `Port ${JSON.stringify(hostPort)} is not published by this sandbox.`;
    throw new CattlegridError("PORT_NOT_PUBLISHED", message);
  });
}
