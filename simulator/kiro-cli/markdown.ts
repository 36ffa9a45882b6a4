const BOLD_ON = "\u001b[1m";
const BOLD_OFF = "\u001b[22m";
const CODE_ON = "\u001b[38;5;10m";
const CODE_OFF = "\u001b[39m";

const TOKEN = /```[^\n]*\n?|`[^`\n]+`|\*\*/g;
/** What may be the start of a token that the next delta completes. */
const UNFINISHED = /(?:\*|`+[^`\n]*)$/;

/** Renders bold, inline code and code fences as the text streams in. */
export class Markdown {
  #held = "";
  #isBold = false;
  #isFenced = false;

  push(delta: string): string {
    const text = this.#held + delta;
    this.#held = UNFINISHED.exec(text)?.[0] ?? "";
    return this.#render(text.slice(0, text.length - this.#held.length));
  }

  finish(): string {
    const rest = this.#render(this.#held);
    this.#held = "";
    const end = this.#isBold ? BOLD_OFF : "";
    this.#isBold = false;
    this.#isFenced = false;
    return rest + end;
  }

  #render(text: string): string {
    return text.replace(TOKEN, (token) => this.#renderToken(token));
  }

  #renderToken(token: string): string {
    if (token.startsWith("```")) {
      this.#isFenced = !this.#isFenced;
      return token.slice(3);
    }
    if (this.#isFenced) return token;
    if (token.startsWith("`")) return `${CODE_ON}${token.slice(1, -1)}${CODE_OFF}`;
    this.#isBold = !this.#isBold;
    return this.#isBold ? BOLD_ON : BOLD_OFF;
  }
}
