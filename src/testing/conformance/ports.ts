import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RunningSandbox } from "../../sandbox/provider.ts";
import { NEVER, SandboxYard, sh, type Subject } from "./sandbox-yard.ts";

const SERVER = `
import socket
s = socket.socket(); s.bind(("127.0.0.1", 4568)); s.listen()
print("up", flush=True); c, _ = s.accept(); c.send(b"from inside"); c.close()`;

/** Reaching what listens inside, where the provider states `ports`. */
export function describePorts({ makeProvider }: Subject): void {
  describe("ports", () => {
    let yard: SandboxYard;
    let sandbox: RunningSandbox;
    beforeAll(async () => {
      yard = new SandboxYard(makeProvider);
      sandbox = await yard.start();
    });
    afterAll(async () => yard.close());

    test("a server inside is reached, and where nothing listens that is told", async (context) => {
      const closed = await sandbox.connect?.(4567).catch((error: unknown) => error);
      expect(closed).toMatchObject({ code: "PORT_CLOSED" });
      if ((await sh(sandbox, "command -v python3")).code !== 0) {
        return context.skip("python3 is not there inside");
      }
      const server = await sandbox.exec({ argv: ["python3", "-c", SERVER] }, NEVER);
      await once(server.output, "data");
      const socket = await sandbox.connect?.(4568);
      const [bytes] = (await once(socket!, "data")) as [Buffer];
      expect(bytes.toString()).toBe("from inside");
      socket?.end();
      await server.ended;
    });
  });
}
