import { readBody, send } from "./exchange.ts";
import type { Exchange } from "./exchange.ts";
import type { SignIn, SignIns } from "./sign-in.ts";

const STYLE = `
  :root { color-scheme: light dark; }
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 34rem; margin: 12vh auto; padding: 0 1rem; }
  .label { display: inline-block; padding: .1rem .6rem; border: 1px dashed; border-radius: 1rem; }
  .code { font: 600 2.2rem/1 ui-monospace, monospace; letter-spacing: .12em; margin: 1.2rem 0; }
  button { font: inherit; padding: .5rem 1.4rem; margin-right: .6rem; border-radius: .4rem; border: 1px solid; cursor: pointer; }
  .approve { background: #1a7f37; color: #fff; border-color: #1a7f37; }`;

/** The page where a person approves a simulated sign-in, in place of Kiro's page in a browser. */
export async function serveApprovalPage(exchange: Exchange, signIns: SignIns): Promise<void> {
  const { pathname } = exchange.url;
  if (exchange.request.method === "POST") return settle(exchange, signIns);
  if (pathname !== "/") return page(exchange, 404, "<p>There is no such page here.</p>");
  const pending = signIns.pending();
  if (pending.length === 0) {
    return page(exchange, 200, "<p>No sign-in is waiting. This page looks again every second.</p>");
  }
  return page(exchange, 200, pending.map(renderSignIn).join("<hr>"));
}

async function settle(exchange: Exchange, signIns: SignIns): Promise<void> {
  const { origin } = exchange.request.headers;
  // SECURITY: a page of another site must not approve in the person's name.
  if (origin !== undefined && origin !== `http://${exchange.request.headers.host ?? ""}`) {
    return page(exchange, 403, "<p>Refused: this request came from another page.</p>");
  }
  const isApproval = exchange.url.pathname === "/approve";
  if (!isApproval && exchange.url.pathname !== "/deny") {
    return page(exchange, 404, "<p>There is no such page here.</p>");
  }
  const form = new URLSearchParams((await readBody(exchange)).toString());
  const code = form.get("user_code") ?? "";
  if (!signIns.settle(code, isApproval ? "approved" : "denied")) {
    return page(exchange, 404, "<p>No waiting sign-in has this code.</p>");
  }
  const outcome = isApproval ? "Approved" : "Denied";
  return page(exchange, 200, `<p><strong>${outcome}.</strong> You can close this page.</p>`);
}

function renderSignIn(signIn: SignIn): string {
  const code = escapeHtml(signIn.userCode);
  return `
    <p>A sandbox asks to sign in (${escapeHtml(signIn.method)}). Does it show this code?</p>
    <p class="code">${code}</p>
    <form method="post">
      <input type="hidden" name="user_code" value="${code}">
      <button class="approve" formaction="/approve">Approve</button>
      <button formaction="/deny">Deny</button>
    </form>`;
}

function page(exchange: Exchange, status: number, content: string): void {
  const refresh =
    exchange.request.method === "GET" ? '<meta http-equiv="refresh" content="1">' : "";
  const body = `<!doctype html>
<html lang="en"><head><meta charset="utf-8">${refresh}
<meta name="viewport" content="width=device-width">
<title>Simulated Kiro sign-in</title><style>${STYLE}
</style></head><body>
<p class="label">simulated</p>
<h1>Kiro sign-in, simulated</h1>
<p>This is Cattlegrid's simulator on your own machine. No account is used and nothing leaves it.</p>
${content}
</body></html>
`;
  send(exchange, status, { type: "text/html; charset=utf-8", body });
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${String(character.charCodeAt(0))};`);
}
