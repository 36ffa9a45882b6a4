import { HOST_KEY_ROUTES } from "../protocol/routes/host-key.ts";
import { openSandbox, type Api } from "./api.ts";
import { untilAborted } from "./event-queue.ts";
import { closedSignal, sendEvents } from "./event-stream.ts";
import { serve } from "./serve.ts";

/**
 * How OpenSSH learns which key to expect: the server of a connection, a process of the user's own, offers it here, and the
 * client's `KnownHostsCommand` asks here. SECURITY: only public keys pass, they are kept nowhere, and only the
 * sandbox's owner can offer one.
 */
export function addHostKeyRoutes(api: Api): void {
  const { hostKeys } = api.engine;

  serve(api, HOST_KEY_ROUTES.listHostKeys, async ({ request }) => {
    const { id } = await openSandbox(api, request, "read");
    return { keys: hostKeys.list(id) };
  });

  serve(api, HOST_KEY_ROUTES.offerHostKey, async ({ request, reply, query }) => {
    const { id } = await openSandbox(api, request, "use");
    const running = await api.engine.sandboxes.running(id);
    const stopped = new AbortController();
    void running.ended.then(() => stopped.abort());
    const signal = AbortSignal.any([closedSignal(reply), stopped.signal]);
    using _offer = hostKeys.offer(id, query.key);
    await sendEvents(reply, untilAborted(signal), { ...api, signal, opensAtOnce: true });
  });
}
