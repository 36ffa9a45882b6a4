import { createJsonSettings } from "../../configuration/json-settings.ts";

export const configuration = createJsonSettings({
  instructions: ".qwen/QWEN.md",
  settings: ".qwen/settings.json",
});
