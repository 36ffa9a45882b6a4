import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type Cast, parseCast } from "../src/protocol/asciicast.ts";
import { renderSvg } from "./cast-to-svg.ts";

const DOCS = join(import.meta.dirname, "../docs");
const read = (name: string): string => readFileSync(join(DOCS, name), "utf8");

function castOf(...events: Cast["events"]): Cast {
  return { header: { version: 2, width: 20, height: 3, timestamp: 0, title: "a <title>" }, events };
}

describe("a picture of a recording", () => {
  test("shows text as text, with its colours and nothing that a viewer would take for markup", async () => {
    const svg = await renderSvg(castOf([0, "o", "<b> & \u001b[1;32mgreen\u001b[0m\r\n漢"]));
    expect(svg).toContain("<title>a &lt;title&gt;</title>");
    expect(svg).toContain('<tspan x="0">&lt;b&gt; &amp;</tspan>');
    expect(svg).toContain('fill="#8cc265" font-weight="bold">green</tspan>');
    expect(svg).toContain("漢");
  });

  test("has one frame for what comes together, shortens pauses, and keeps the last one", async () => {
    const svg = await renderSvg(castOf([0, "o", "a"], [0.01, "o", "b"], [60, "o", "c"]));
    expect(svg.match(/class="f f\d"/g)).toHaveLength(2);
    expect(svg).toContain("animation:f1 5.51s");
  });
});

describe("the session of the README", () => {
  const cast = parseCast(read("session.cast"));

  test("was recorded from the demo: an installation, a sign-in, three turns, and a refusal", () => {
    const shown = cast?.events.map(([, , data]) => data).join("") ?? "";
    for (const part of ["simulated", "Logged in", "donut.js", "Your name is Ada", "refused"]) {
      expect(shown).toContain(part);
    }
    expect(shown).not.toMatch(/cattlegrid-demo-|\/root\/|\/home\//);
  });

  test("is the picture that is rendered from it", async () => {
    expect(cast).toBeDefined();
    expect((await renderSvg(cast as Cast)) === read("session.svg")).toBe(true);
  });
});
