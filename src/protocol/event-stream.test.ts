import { expect, test } from "vitest";
import { EventStreamReader } from "./event-stream.ts";

function readIn(text: string, size: number): string[] {
  const reader = new EventStreamReader();
  const bytes = Buffer.from(text);
  const events: string[] = [];
  for (let at = 0; at < bytes.length; at += size) {
    events.push(...reader.push(bytes.subarray(at, at + size)));
  }
  return events;
}

const STREAM =
  ':\n\ndata: {"a":"grün"}\n\nevent: x\r\ndata:1\r\ndata: 2\r\n\r\n: beat\n\ndata: late';

test.each([1, 2, 3, 7, 1000])("events are read whole from pieces of %i bytes", (size) => {
  expect(readIn(STREAM, size)).toEqual(['{"a":"grün"}', "1\n2"]);
});
