import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { NEVER, run, SandboxYard, type Subject } from "./sandbox-yard.ts";

/** What a gateway needs where the provider states `egress: "enforced"`. */
export function describeCapture({ makeProvider }: Subject): void {
  describe("capture", () => {
    let yard: SandboxYard;
    beforeAll(() => {
      yard = new SandboxYard(makeProvider);
    });
    afterAll(async () => yard.close());

    test("a sandbox does not start when its sockets are not taken", async () => {
      const specification = yard.specify();
      await yard.provider.create(specification, NEVER);
      const onCapture = (): never => {
        throw new TypeError("no gateway");
      };
      const failure = await yard.provider
        .start(specification, { onCapture }, NEVER)
        .catch((error: unknown) => error);
      expect(failure).toMatchObject({ message: "no gateway" });
      const sandbox = await yard.startAgain(specification);
      expect((await run(sandbox, ["true"])).code).toBe(0);
    });

    test("every lookup inside asks at the capture sockets, and is answered by nobody else", async () => {
      const sandbox = await yard.start();
      const { udp } = yard.socketsOf(sandbox.id);
      const asked = Promise.race(
        udp.map(async (socket) => {
          const [message, sender] = (await once(socket, "message")) as [Buffer, { port: number }];
          return { message, sender };
        }),
      );
      for (const socket of udp) {
        socket.on("message", (message, { address, port }) => {
          socket.send(refuse(message), port, address);
        });
      }
      const looked = run(sandbox, ["getent", "hosts", "canary.example"]);
      expect((await asked).message.toString("latin1")).toContain("\u0006canary\u0007example");
      expect(await looked).toMatchObject({ code: 2, output: "" });
    });
  });
}

/** The same query as an answer: refused. */
function refuse(query: Buffer): Buffer {
  const answer = Buffer.from(query);
  answer[2] = (answer[2] ?? 0) | 0x80;
  answer[3] = 5;
  return answer;
}
