/** The path of a request in the one form that rules are compared with: decoded once, without a query. */
export type RequestPath = string & { readonly __brand: "RequestPath" };

export type PathReading = { ok: true; value: RequestPath } | { ok: false; problem: string };

const UTF8 = new TextDecoder("utf-8", { fatal: true });
const ENCODED = /%[0-9A-Fa-f]{2}/;

/**
 * Reads the path of a request target (`/path?query`) as the server will see it. SECURITY: servers differ in
 * how they read some spellings, so that one of them would see another path than the rule was compared with;
 * such a path has no reading here, and a rule with paths then allows nothing and denies everything.
 */
export function readRequestPath(target: string): PathReading {
  const encoded = target.split("?", 1)[0] ?? "";
  const problem = findRawProblem(encoded);
  if (problem !== undefined) return refuse(problem);
  const decoded = decodeOnce(encoded);
  if (decoded === undefined) return refuse("its escapes are not UTF-8");
  const ambiguity = findAmbiguity(decoded);
  return ambiguity === undefined ? { ok: true, value: decoded as RequestPath } : refuse(ambiguity);
}

function findRawProblem(encoded: string): string | undefined {
  if (!encoded.startsWith("/")) return "it does not begin with a slash";
  if (/[^\x21-\x7e]/.test(encoded)) return "it holds bytes that belong in escapes";
  if (encoded.includes("#")) return "it holds a fragment";
  if (encoded.replaceAll(new RegExp(ENCODED, "g"), "").includes("%")) {
    return "it holds a percent sign that is no escape";
  }
  if (/%2f|%5c/i.test(encoded)) return "it holds an encoded slash";
  return undefined;
}

function decodeOnce(encoded: string): string | undefined {
  const bytes: number[] = [];
  for (let index = 0; index < encoded.length; index++) {
    const isEscape = encoded[index] === "%";
    bytes.push(
      isEscape
        ? Number.parseInt(encoded.slice(index + 1, index + 3), 16)
        : encoded.charCodeAt(index),
    );
    if (isEscape) index += 2;
  }
  try {
    return UTF8.decode(Uint8Array.from(bytes));
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

function findAmbiguity(decoded: string): string | undefined {
  if (/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(decoded)) return "it holds a control character";
  if (decoded.includes("\\")) return "it holds a backslash";
  if (ENCODED.test(decoded)) return "it is encoded twice";
  if (decoded.includes(";")) return "it holds a path parameter (;)";
  if (decoded.includes("//")) return "it holds an empty segment";
  if (decoded.split("/").some((segment) => segment === "." || segment === "..")) {
    return "it holds a dot segment";
  }
  // Full-width slashes and dots become plain ones in servers that fold compatible characters.
  if (decoded.normalize("NFKC") !== decoded)
    return "it holds characters that may be read as others";
  return undefined;
}

function refuse(problem: string): { ok: false; problem: string } {
  return { ok: false, problem };
}
