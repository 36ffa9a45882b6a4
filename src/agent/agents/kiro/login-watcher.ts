import type { LoginWatcher } from "../../agent.ts";
import { toPlainText } from "../../plain-text.ts";

/** Longer than the list and the code together, even when a person moves up and down it for a while. */
const KEPT_CHARACTERS_MAX = 64 * 1024;
const BUILDER_ID_DEVICE_PAGE = "https://view.awsapps.com/start/#/device?user_code=";

// Both want what follows them: a code whose second half is still on its way is no code.
const CODE = /^[ \t]*Code:[ \t]*([A-Z0-9]+(?:-[A-Z0-9]+)*)[ \t]*\n/gm;
const ADDRESS = /Open this URL:[ \t]*(https:\/\/[^\s]+)[ \t]*\n/g;
/** The row under the cursor, each time the list was drawn. */
const CURSOR_ROW = /❯[ \t]*(Use [^\n]+)/g;

/**
 * Reads the device flow's code and address from the terminal, however they are cut into chunks, coloured or drawn
 * again. Where the agent prints a code without an address, the address is composed, but only for Builder ID, the one
 * method whose page is known: the row that was under the cursor last, or what runs when no list was shown.
 */
export function watchLogin(): LoginWatcher {
  const decoder = new TextDecoder();
  let written = "";
  let told = "";
  let composes = true;
  return {
    push(bytes) {
      written = (written + decoder.decode(bytes, { stream: true })).slice(-KEPT_CHARACTERS_MAX);
      // Each drawing counts here, not only the one that stayed.
      const text = toPlainText(written.replaceAll("\r\n", "\n").replaceAll("\r", "\n"));
      const match = [...text.matchAll(CODE)].at(-1);
      composes = isBuilderId(text.slice(0, match?.index), composes);
      const code = match?.[1];
      if (match === undefined || code === undefined) return undefined;
      const printed = [...text.slice(match.index).matchAll(ADDRESS)].at(-1)?.[1];
      const url = printed ?? (composes ? BUILDER_ID_DEVICE_PAGE + code : null);
      const found = `${code} ${url}`;
      if (found === told) return undefined;
      told = found;
      return { code, url };
    },
  };
}

/** `otherwise`: what was so before, when the text says nothing. */
function isBuilderId(text: string, otherwise: boolean): boolean {
  if (text.includes("Enter Start URL")) return false;
  const row = [...text.matchAll(CURSOR_ROW)].at(-1)?.[1];
  if (row !== undefined) return row.includes("Builder ID");
  return otherwise && !text.includes("Select login method");
}
