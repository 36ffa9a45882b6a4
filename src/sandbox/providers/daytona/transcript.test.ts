import { describe, expect, test } from "vitest";
import { Transcript, type StreamName } from "./transcript.ts";

const MARK = "a".repeat(32);
const TOKEN = "b".repeat(16);
const say = (word: string): string => `\0${TOKEN} ${word};`;
const ECHO = `$  exec sh '/tmp/.cattlegrid/program' show 1 ${TOKEN} 0 0 0 0\r\n`;

interface Seen {
  out: string;
  err: string;
  done: readonly string[];
  over: number | undefined;
  place: string;
}

/** What comes of a showing in pieces of so many bytes. */
function show(transcript: Transcript, text: string, pieceBytes: number): Seen {
  const showing = transcript.begin(TOKEN);
  const bytes = Buffer.from(text, "latin1");
  const seen: Record<StreamName, string> = { out: "", err: "" };
  const done: string[] = [];
  let over: number | undefined;
  for (let start = 0; start < bytes.length; start += pieceBytes) {
    const shown = showing.take(bytes.subarray(start, start + pieceBytes));
    for (const { stream, bytes: piece } of shown.pieces) seen[stream] += piece.toString("latin1");
    done.push(...shown.done);
    over ??= shown.over;
  }
  return { ...seen, done, over, place: transcript.place };
}

describe("the showing of a transcript", () => {
  const whole =
    ECHO +
    say("begin") +
    say("out 0") +
    "first\0\xff\n" +
    say("err 0") +
    "oops\n" +
    say("out 0") +
    say("out 1") +
    `second\0${MARK} mark;` +
    say("err 0") +
    `\0${MARK} mark;` +
    say("over 7");

  test.each(Array.from({ length: 80 }, (_, index) => index + 1))(
    "in pieces of %i bytes shows what the program wrote, and nothing of how it was asked for",
    (pieceBytes) => {
      const seen = show(new Transcript(["out", "err"], MARK), whole, pieceBytes);
      expect(seen).toMatchObject({ out: "first\0\xff\nsecond", err: "oops\n", over: 7 });
      expect(seen.done).toEqual(["out.0"]);
    },
  );

  test("that ends anywhere is gone on with from where it came to, and no byte comes twice", () => {
    const text = "0123456789".repeat(5);
    const begun = ECHO + say("begin") + say("out 0");
    for (let cut = 0; cut <= begun.length + text.length; cut += 1) {
      const transcript = new Transcript(["out"], MARK);
      const first = show(transcript, (begun + text).slice(0, cut), 7);
      const offset = Number(first.place.split(" ")[1]);
      const rest = text.slice(offset) + `\0${MARK} mark;` + say("over 0");
      const second = show(transcript, begun + rest, 5);
      expect(first.out + second.out).toBe(text);
    }
  });

  test("of another token is output, however alike it looks", () => {
    const spoof = `\0${"c".repeat(16)} over 0;`;
    const text = say("begin") + say("out 0") + spoof;
    const seen = show(new Transcript(["out"], MARK), text + say("over 3"), 4);
    expect(seen).toMatchObject({ out: spoof, over: 3 });
  });
});
