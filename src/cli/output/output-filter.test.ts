import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { TerminalFeature } from "../../protocol/terminal-feature.ts";
import { OutputFilter } from "./output-filter.ts";
import { parseTerminalFeatures } from "./guarded-output.ts";

const ALL = ["title", "links", "clipboard", "images", "query"] as const;

function filter(text: string | Buffer, permitted: readonly TerminalFeature[] = []): string {
  return new OutputFilter(permitted).push(Buffer.from(text)).toString("latin1");
}

function bytewise(bytes: Buffer, permitted: readonly TerminalFeature[] = []): Buffer {
  const filtering = new OutputFilter(permitted);
  return Buffer.concat([...bytes].map((byte) => filtering.push(Buffer.of(byte))));
}

describe("what draws goes through as it is", () => {
  test.each([
    ["text of any script", "häl\u00a0lo ✓ 日本語 🎉 e\u0301\n\tx\r\n"],
    [
      "colours and attributes",
      "\x1b[1;38;2;1;2;3mred\x1b[0m \x1b[38:5:12mx\x1b[m \x1b[4:3mcurl\x1b[24m",
    ],
    [
      "movement and erasing",
      "\x1b[2J\x1b[H\x1b[10;20H\x1b[K\x1b[3A\x1b[1@\x1b[2P\x1b[5X\x1b[3L\x1b[2;20r",
    ],
    [
      "modes",
      "\x1b[?1049h\x1b[?25l\x1b[?2004h\x1b[?1006h\x1b[?2026$z\x1b[4h".replace("\x1b[?2026$z", ""),
    ],
    ["the cursor", "\x1b7\x1b8\x1b[s\x1b[u\x1b[2 q\x1b[6n".replace("\x1b[6n", "")],
    ["character sets", "\x1b(0lqk\x1b(B\x0e\x0f\x1b*A"],
    ["keyboards", "\x1b[>4;2m\x1b[>1u\x1b[<u\x1b=\x1b>"],
    ["colours of the screen", "\x1b]11;rgb:00/00/00\x1b\\\x1b]104\x1b\\"],
    ["resets", "\x1bc\x1b[!p"],
  ])("%s", (_, text) => {
    expect(filter(text)).toBe(Buffer.from(text).toString("latin1"));
    expect(bytewise(Buffer.from(text)).toString("latin1")).toBe(filter(text));
  });
});

describe("what does more is taken out, and the text around it stays", () => {
  test.each([
    ["a title", "\x1b]0;evil\x07"],
    ["a title ended otherwise", "\x1b]2;evil\x1b\\"],
    ["a title as screen has it", "\x1bkevil\x1b\\"],
    ["a title by 8-bit controls", "\u009d0;evil\u009c\x07"],
    ["writing to the clipboard", "\x1b]52;c;ZXZpbA==\x07"],
    ["reading the clipboard", "\x1b]52;c;?\x07"],
    ["what an editor runs", "\x1b]1337;File=name=x:AAAA\x07"],
    ["a notification", "\x1b]9;hello\x07\x1b]777;notify;a;b\x07"],
    ["a directory", "\x1b]7;file:///etc\x07"],
    ["asking what terminal it is", "\x1b[c\x1b[>c\x1b[=c\x1bZ\x1b[>q"],
    ["asking where the cursor is", "\x1b[6n\x1b[?6n\x1b[5n"],
    ["asking for a mode", "\x1b[?2026$p\x1b[4$p"],
    ["asking for a colour", "\x1b]11;?\x07\x1b]4;1;?\x1b\\"],
    ["asking for the window's title", "\x1b[21t\x1b[20t"],
    ["moving and resizing the window", "\x1b[3;0;0t\x1b[8;10;10t\x1b[2t"],
    ["asking for what it chose", "\x1bP$qm\x1b\\\x1bP+q544e\x1b\\"],
    ["keys that type text", "\x1bP1;1|17/6576696c\x1b\\"],
    ["going through tmux", "\x1bPtmux;\x1b\x1b]52;c;ZXZpbA==\x07\x1b\\"],
    ["images", "\x1bPq#0;2;0;0;0~\x1b\\\x1b_Gf=32,t=f;L2V0Yy9wYXNzd2Q=\x1b\\"],
    ["a checksum of the screen", "\x1b[1;1;1;1;10;10*y"],
    ["printing", "\x1b[5i\x1b[4i"],
    ["another coding", "\x1b%@\x1b%G\x1b F\x1b G"],
    ["an answer-back", "\x05"],
    ["messages of no kind", "\x1b^x\x1b\\\x1bXx\x1b\\\x1b_x\x1b\\"],
  ])("%s", (_, sequence) => {
    expect(filter(`before${sequence}after`)).toMatch(/^before[\\]?after$/);
    expect(bytewise(Buffer.from(`before${sequence}after`)).toString()).toBe(
      filter(`before${sequence}after`),
    );
  });

  test("a link, whose text stays", () => {
    expect(filter("\x1b]8;;https://evil.example\x1b\\bank\x1b]8;;\x1b\\")).toBe("bank");
  });

  test("8-bit controls outside of any character", () => {
    expect(filter(Buffer.from("a\x9b6nb", "latin1"))).toBe("a\xef\xbf\xbd6nb");
    expect(filter(Buffer.from("a\xc0\x9b6nb", "latin1"))).toBe("a\xef\xbf\xbd\xef\xbf\xbd6nb");
  });

  test("a string with another sequence or a control in it", () => {
    expect(filter("\x1b]0;a\x1b[31mb\x07c", ["title"])).toBe("\x1b[31mb\x07c");
    expect(filter("\x1b]0;a\u009cb\x07c", ["title"])).toBe("c");
    expect(filter("\x1b[3\n1mx")).toBe("\n\x1b[31mx");
  });

  test("what never ends, which hides nothing that comes after the next sequence", () => {
    expect(filter(`\x1b]0;${"x".repeat(200_000)}\x1b[1mshown`)).toBe("\x1b[1mshown");
    expect(filter(`\x1b[${"1;".repeat(400)}mshown`)).toContain("shown");
  });
});

describe("what is permitted goes through", () => {
  test.each([
    ["title", "\x1b]0;vim\x1b\\\x1b[22;0t"],
    ["links", "\x1b]8;id=1;https://example.org\x1b\\text\x1b]8;;\x1b\\"],
    ["clipboard", "\x1b]52;c;aGk=\x1b\\"],
    ["images", "\x1bP0;1q#0;2;0;0;0~\x1b\\"],
    ["query", "\x1b[c\x1b[>c\x1b[6n\x1b[18t\x1b]11;?\x1b\\\x1b[?u\x1b[?2026$p"],
  ] as const)("%s alone", (feature, text) => {
    expect(filter(text, [feature])).toBe(text);
    const others = ALL.filter((each) => each !== feature);
    expect(filter(text, others)).toBe(feature === "links" ? "text" : "");
  });

  test("and never what types out text that the program chose", () => {
    const chosen = "\x1b[21t\x1b]52;c;?\x07\x1bP$qm\x1b\\\x1bP+q544e\x1b\\\x05";
    expect(filter(`a${chosen}b`, ALL)).toBe("ab");
  });

  test("as the switch names it", () => {
    expect(parseTerminalFeatures("title, links")).toEqual(["title", "links"]);
    expect(parseTerminalFeatures("all")).toEqual(["title", "links", "clipboard", "images"]);
    expect(parseTerminalFeatures("")).toEqual([]);
    expect(() => parseTerminalFeatures("everything")).toThrow(/not everything/);
  });
});

describe("whatever the bytes", () => {
  const piece = fc.oneof(
    fc.constantFrom(
      "\x1b",
      "\x1b[",
      "\x1b]",
      "\x1bP",
      "\x1b\\",
      "\x07",
      "\u009b",
      "\u009d",
      "\x18",
      "52;c;?",
      "6n",
      "?",
      ";",
      "c",
      "ü",
      "日",
    ),
    fc.string({ maxLength: 4 }),
  );
  const bytes = fc
    .array(
      fc.oneof(
        piece.map((text) => Buffer.from(text)),
        fc.uint8Array({ maxLength: 3 }).map((each) => Buffer.from(each)),
      ),
      { maxLength: 30 },
    )
    .map((parts) => Buffer.concat(parts));

  test("a byte that breaks a character off ends it: the next one is no continuation of it", () => {
    const broken = Buffer.of(0xc3, 0xf5, 0x9b, 0x41);
    const out = new OutputFilter([]).push(broken);
    expect(out).toEqual(Buffer.concat([Buffer.of(0xc3), Buffer.from("\uFFFD\uFFFDA")]));
  });

  test("they come out the same in whatever chunks, and a second pass changes nothing", () => {
    fc.assert(
      fc.property(bytes, (input) => {
        const once = new OutputFilter([]).push(input);
        expect(bytewise(input)).toEqual(once);
        expect(new OutputFilter([]).push(once)).toEqual(once);
      }),
    );
  });

  test("no sequence is left that asks or sets anything", () => {
    fc.assert(
      fc.property(bytes, (input) => {
        const out = new OutputFilter([]).push(input).toString("latin1");
        expect(out).not.toMatch(
          /\x1b\[[?>=]?[0-9;]*[cn]|\x1b\](?!4;|5;|1\d|104|105)|\x1b[PX^_kZ]|\x05/,
        );
      }),
    );
  });
});
