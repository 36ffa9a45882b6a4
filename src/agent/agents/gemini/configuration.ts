import { createJsonSettings } from "../../configuration/json-settings.ts";

export const configuration = createJsonSettings({
  instructions: ".gemini/GEMINI.md",
  settings: ".gemini/settings.json",
});
