/** Applies changes in a process of its own, which ends itself without warning at a named point. Prints the points, or the result. */
import { applyChanges } from "../../src/changes/apply.ts";
import type { ApplyWish } from "../../src/changes/application.ts";
import { EVERYTHING } from "./overlay-yard.ts";
import { OverlayTree } from "../../src/changes/changed-tree.ts";
import { ChangeRecords } from "../../src/changes/journal.ts";

const [workspace = "", upper = "", records = "", dieAt = "", wish = "{}"] = process.argv.slice(2);
const points: string[] = [];
const result = await applyChanges(
  {
    workspace,
    openChanged: () => new OverlayTree(upper),
    begunAtNs: BigInt(process.env["BEGUN_AT_NS"] ?? 0),
    records: new ChangeRecords(records),
    onCorrupt: () => undefined,
  },
  { ...EVERYTHING, ...(JSON.parse(wish) as Partial<ApplyWish>) },
  {
    signal: new AbortController().signal,
    onPoint(point) {
      points.push(point);
      if (point === dieAt) process.kill(process.pid, "SIGKILL");
    },
  },
);
process.stdout.write(JSON.stringify(process.env["REPORT"] === "result" ? result : points));
