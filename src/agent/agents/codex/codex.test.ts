import { describeRecordedTurns } from "../../../../test/support/recorded-turn.ts";
import { codex } from "./codex.ts";

describeRecordedTurns(codex, {
  tool: "command_execution",
  reason: "The scripted model fails.",
});
