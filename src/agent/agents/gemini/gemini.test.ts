import { describeRecordedTurns } from "../../../../test/support/recorded-turn.ts";
import { gemini } from "./gemini.ts";

describeRecordedTurns(gemini, {
  tool: "run_shell_command",
  reason:
    '[API Error: {"type":"error","error":{"type":"invalid_request_error","code":400,"status":"INVALID_ARGUMENT","message":"The scripted model fails."}}]',
});
