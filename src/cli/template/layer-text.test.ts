import { expect, test } from "vitest";
import type { TemplateLayer } from "../../protocol/template-layer.ts";
import { describeBuilt } from "./layer-text.ts";

const NOW = Date.parse("2030-01-10T12:00:00Z");
const layer = (bytes: number, builtAt: string): TemplateLayer => ({
  provider: "local",
  layer: "setup-1",
  template: "golden",
  steps: [],
  bytes,
  builtAt,
  sandboxes: 0,
});

test.each<[string, TemplateLayer[], [string, string]]>([
  ["of nothing", [], ["-", "-"]],
  ["of an empty layer", [layer(0, "2030-01-10T11:59:58Z")], ["0 B", "2s ago"]],
  ["small", [layer(1536, "2030-01-10T11:55:00Z")], ["1.5 KiB", "5m ago"]],
  [
    "of two layers: the sum, and the age of the newest",
    [layer(200 * 2 ** 20, "2030-01-07T12:00:00Z"), layer(2 ** 20, "2030-01-10T09:30:00Z")],
    ["201 MiB", "2h ago"],
  ],
  ["from a clock that was ahead", [layer(1, "2031-01-01T00:00:00Z")], ["1 B", "0s ago"]],
])("what was built, %s", (_, layers, shown) => {
  expect(describeBuilt("golden", layers, NOW)).toEqual(shown);
  expect(describeBuilt("another", layers, NOW)).toEqual(["-", "-"]);
});
