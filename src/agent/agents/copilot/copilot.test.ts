import { describeRecordedTurns } from "../../../../test/support/recorded-turn.ts";
import { copilot } from "./copilot.ts";

describeRecordedTurns(copilot, {
  tool: "bash",
  reason: "400 The scripted model fails.",
});
