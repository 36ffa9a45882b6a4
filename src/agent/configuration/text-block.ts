const BEGIN = "<!-- From the template; what is changed here is written anew at every start. -->";
const END = "<!-- End of what comes from the template. -->";

/** A text with our block in place of the one that is there, or at its end. The same again changes nothing. */
export function putBlock(text: string, block: string): string {
  const rest = removeBlock(text);
  const before = rest === "" || rest.endsWith("\n") ? rest : `${rest}\n`;
  return `${before}${BEGIN}\n${block.trimEnd()}\n${END}\n`;
}

export function removeBlock(text: string): string {
  const begin = text.indexOf(`${BEGIN}\n`);
  if (begin === -1) return text;
  const end = text.indexOf(`${END}\n`, begin);
  return text.slice(0, begin) + (end === -1 ? "" : text.slice(end + END.length + 1));
}
