import { describeRecordedTurns } from "../../../../test/support/recorded-turn.ts";
import { opencode } from "./opencode.ts";

describeRecordedTurns(opencode, {
  tool: "bash",
  reason: "The scripted model fails.",
});
