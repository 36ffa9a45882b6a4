import { describeRecordedTurns } from "../../../../test/support/recorded-turn.ts";
import { qwen } from "./qwen.ts";

describeRecordedTurns(qwen, {
  tool: "run_shell_command",
  reason: "[API Error: 400 The scripted model fails.]",
});
