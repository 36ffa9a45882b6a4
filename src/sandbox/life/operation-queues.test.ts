import { expect, test } from "vitest";
import { OperationQueues } from "./operation-queues.ts";

test("operations of one sandbox come one after the other, also after one that failed", async () => {
  const queues = new OperationQueues();
  const order: string[] = [];
  const gate = Promise.withResolvers<void>();
  const first = queues.run("a", async () => {
    await gate.promise;
    order.push("first");
    throw new Error("broken");
  });
  const second = queues.run("a", async () => order.push("second"));
  await queues.run("b", async () => order.push("other"));
  gate.resolve();
  await expect(first).rejects.toThrow("broken");
  await second;
  expect(order).toEqual(["other", "first", "second"]);
});

test("who finishes waits for what is under way, whatever comes of it", async () => {
  const queues = new OperationQueues();
  const order: string[] = [];
  const failing = queues.run("a", async () => {
    await Promise.resolve();
    order.push("failed");
    throw new Error("broken");
  });
  const finished = queues.finish("a").then(() => order.push("finished"));
  await expect(failing).rejects.toThrow("broken");
  await finished;
  expect(order).toEqual(["failed", "finished"]);
  await queues.finish("never seen");
});
