import { describeRecordedTurns } from "../../../../test/support/recorded-turn.ts";
import { claude } from "./claude.ts";

describeRecordedTurns(claude, {
  tool: "Bash",
  reason: "API Error: 400 The scripted model fails.",
});
