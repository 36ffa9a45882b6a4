import { assert as check, property, string, uint8Array } from "fast-check";
import { describe, expect, test } from "vitest";
import { CastEncoder, castHeader, encodeRemark, encodeResize, parseCast } from "./asciicast.ts";

const SIZE = { columns: 80, rows: 24 };
const header = castHeader(SIZE, { title: "box", startedAt: new Date(1_700_000_000_500) });

function record(parts: readonly Uint8Array[], hasTerminal = true): string {
  const encoder = new CastEncoder(hasTerminal);
  const lines = parts.map((part, at) => encoder.output(part, at) ?? "");
  return `${JSON.stringify(header)}\n${lines.join("")}`;
}

function play(text: string): string {
  return (parseCast(text)?.events ?? []).map(([, , data]) => data).join("");
}

describe("a recording", () => {
  test("begins with the header of asciicast version 2, and holds one event a line", () => {
    const text = `${record([Buffer.from("a\x1b[1m")])}${encodeResize({ columns: 90, rows: 30 }, 1.5)}${encodeRemark("end", 2)}`;
    expect(text.split("\n")).toEqual([
      '{"version":2,"width":80,"height":24,"timestamp":1700000000,"title":"box","env":{"TERM":"xterm-256color"}}',
      '[0,"o","a\\u001b[1m"]',
      '[1.5,"r","90x30"]',
      '[2,"m","end"]',
      "",
    ]);
  });

  test("plays what was printed, however it was cut into pieces", () => {
    check(
      property(string({ unit: "binary" }), uint8Array({ max: 5 }), (printed, cuts) => {
        const bytes = Buffer.from(printed.toWellFormed());
        const parts: Buffer[] = [];
        let at = 0;
        for (const length of cuts) parts.push(bytes.subarray(at, (at += length)));
        expect(play(record([...parts, bytes.subarray(at)]))).toBe(bytes.toString());
      }),
    );
  });

  test("adds the carriage returns that a pipe has not", () => {
    const parts = ["a\nb\r\nc\r", "\nd\n"].map((part) => Buffer.from(part));
    expect(play(record(parts, false))).toBe("a\r\nb\r\nc\r\nd\r\n");
    expect(play(record(parts))).toBe("a\nb\r\nc\r\nd\n");
  });

  test("is read without a last line that is cut", () => {
    expect(play(`${record([Buffer.from("whole")])}[1,"o","cu`)).toBe("whole");
  });

  test.each([["no JSON"], ['{"version":1,"width":80,"height":24}'], [""]])("is not %j", (text) => {
    expect(parseCast(text)).toBeUndefined();
  });
});
