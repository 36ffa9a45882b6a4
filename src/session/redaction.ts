/** Shorter values would turn ordinary words into dots. */
const SECRET_LENGTH_MIN = 4;

/**
 * SECURITY: an agent's messages may repeat a key they were given. What the engine itself says to a person, and
 * what may end up in a file, passes here; the bytes of the agent's own output do not, being the agent's to write.
 */
export function redact(text: string, secrets: Readonly<Record<string, string>>): string {
  let redacted = text;
  for (const [name, value] of Object.entries(secrets)) {
    if (value.length >= SECRET_LENGTH_MIN) redacted = redacted.replaceAll(value, `<${name}>`);
  }
  return redacted;
}
