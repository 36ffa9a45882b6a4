/**
 * Shows every connection and lookup that the policies of your sandboxes refuse, as it happens, with the command that would
 * allow it. Goes on where it was when the daemon's connection breaks. Ends with Ctrl+C.
 *
 *     node watch-refusals.ts
 */
import { setTimeout as delay } from "node:timers/promises";
import { CattlegridError, connect } from "cattlegrid";

const RETRY_MS = 1000;
let lastEventId: string | undefined;
console.error("Watching. Ctrl+C ends it.");
for (;;) {
  await watch().catch((error: unknown) => {
    if (!CattlegridError.is(error)) throw error;
    console.error(error.message);
  });
  await delay(RETRY_MS);
}

async function watch(): Promise<void> {
  await using grid = await connect();
  const from = lastEventId === undefined ? {} : { lastEventId };
  for await (const event of grid.followEvents(from)) {
    lastEventId = event.id;
    if (event.type === "gap") console.error("Some events were missed.");
    if (event.type !== "egress" || event.record.action !== "deny") continue;
    const { record, sandboxId } = event;
    const { name } = await grid.getSandbox({ id: sandboxId });
    const host = record.name ?? record.address ?? "?";
    const port = record.port === undefined || record.port === 443 ? "" : `:${record.port}`;
    console.log(`${record.time} ${name}: ${record.kind} ${host}${port} - ${record.reason}`);
    console.log(`  cattlegrid policy allow ${name} ${host}${port}`);
  }
}
