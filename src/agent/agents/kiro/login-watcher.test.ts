import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { watchLogin } from "./login-watcher.ts";

const ADDRESS = "https://view.awsapps.com/start/#/device?user_code=ABCD-EFGH";
const CODE =
  "\r\nConfirm the following code in the browser\r\nCode: \u001B[1mABCD-EFGH\u001B[0m\r\n\r\n";
const WITH_ADDRESS = `${CODE}Open this URL: ${ADDRESS}\r\n`;
const SPINNER = "\u001B[?25l\r▰▱▱▱▱▱▱ Logging in...\r▰▰▱▱▱▱▱ Logging in...";

const ROWS = ["Builder ID", "Google", "GitHub", "Your Organization"];

/** The list as it is drawn for a cursor that stops at each of `steps`. */
function drawList(...steps: number[]): string {
  const draw = (at: number): string =>
    ROWS.map((row, index) => `${index === at ? "❯" : " "} Use with ${row}\r\n`).join("");
  const again = `\u001B[${ROWS.length}A\u001B[2K`;
  return `? Select login method ›\r\n${steps.map(draw).join(again)}`;
}

function watch(...chunks: (string | Uint8Array)[]): unknown[] {
  const watcher = watchLogin();
  return chunks.flatMap((chunk) => watcher.push(Buffer.from(chunk)) ?? []);
}

describe("what the watcher tells", () => {
  test("the code and the address that is printed, once", () => {
    const told = watch(drawList(0), WITH_ADDRESS, SPINNER, SPINNER);
    expect(told).toEqual([{ code: "ABCD-EFGH", url: ADDRESS }]);
  });

  test("nothing before there is a code", () => {
    expect(watch(drawList(0, 1, 0), SPINNER)).toEqual([]);
  });

  test("nothing for half a code", () => {
    expect(watch("Code: ABCD-", "EF")).toEqual([]);
    expect(watch("Code: ABCD-", "EFGH", "\r\n")).toEqual([{ code: "ABCD-EFGH", url: ADDRESS }]);
  });

  test("a second code, after the first", () => {
    const codes = watch(WITH_ADDRESS, WITH_ADDRESS.replaceAll("ABCD", "WXYZ"));
    expect(codes).toMatchObject([{ code: "ABCD-EFGH" }, { code: "WXYZ-EFGH" }]);
  });
});

describe("where only the code is printed, the address", () => {
  test.each([
    ["is composed for Builder ID", drawList(0), ADDRESS],
    ["is composed for Builder ID, chosen after looking at others", drawList(0, 1, 2, 0), ADDRESS],
    ["is composed when no list was shown", "", ADDRESS],
    ["is composed in the wording of the ancestor", "❯ Use for Free with Builder ID\r\n", ADDRESS],
    ["stays unknown for Google", drawList(0, 1), null],
    ["stays unknown for GitHub", drawList(0, 1, 2), null],
    ["stays unknown for an organisation", `${drawList(0, 3)}Enter Start URL`, null],
    ["stays unknown when the list cannot be read", "? Select login method ›\r\n", null],
  ])("%s", (_title, before, url) => {
    expect(watch(before, CODE, SPINNER)).toEqual([{ code: "ABCD-EFGH", url }]);
  });

  test("stays unknown for a method chosen long ago", () => {
    const wait = SPINNER.repeat(3000);
    expect(watch(drawList(0, 1), wait, CODE)).toEqual([{ code: "ABCD-EFGH", url: null }]);
  });

  test("is told when it comes later after all", () => {
    const printed = "https://device.example/?code=ABCD-EFGH";
    expect(watch(drawList(0, 1), CODE, `Open this URL: ${printed}\r\n`)).toEqual([
      { code: "ABCD-EFGH", url: null },
      { code: "ABCD-EFGH", url: printed },
    ]);
  });
});

test("however the bytes are cut, the last word is the same", () => {
  const bytes = Buffer.from(drawList(0, 1, 0) + WITH_ADDRESS + SPINNER);
  fc.assert(
    fc.property(fc.array(fc.nat(bytes.length), { maxLength: 12 }), (cuts) => {
      const edges = [0, ...cuts.toSorted((a, b) => a - b), bytes.length];
      const chunks = edges.slice(1).map((end, index) => bytes.subarray(edges[index], end));
      const told = watch(...chunks);
      expect(told.at(-1)).toEqual({ code: "ABCD-EFGH", url: ADDRESS });
      expect(told.length).toBe(1);
    }),
  );
});
