/** The variable of a text that is one whole `${VARIABLE}`, after `before`. */
export function wholeVariable(text: string, before = ""): string | undefined {
  if (!text.startsWith(before)) return undefined;
  return /^\$\{([A-Za-z_][A-Za-z0-9_]*)\}$/.exec(text.slice(before.length))?.[1];
}

export function hasVariable(text: string): boolean {
  return /\$\{[A-Za-z_][A-Za-z0-9_]*\}/.test(text);
}

/** The same text with each `${VARIABLE}` written as the agent writes it. */
export function translateVariables(text: string, write: (name: string) => string): string {
  return text.replace(/\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g, (_, name: string) => write(name));
}
