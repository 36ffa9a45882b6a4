import type { Outside } from "./outside.ts";

/** A public address that a rule names by itself; it is reached through the operator's proxy of this test. */
export const GRANTED = "93.184.215.20";

/** What the sandbox `ruled` may do; every case has its permitted twin by one of these. */
export function rulesFor({ port }: Pick<Outside, "port">): { allow: string[]; deny: string[] } {
  return {
    allow: [
      "a.x.example:7000",
      "*.w.example:7000",
      "**.tree.example:7000",
      "web.example:80",
      "web.example",
      "api.example/public/**,GET,HEAD",
      "part.example",
      "chat.example/room",
      "wrong.example/x,GET",
      `rebind.example:${port},opaque,127.0.0.1`,
      `granted.example:${port},opaque,127.0.0.1`,
      `inner.example:${port},opaque`,
      `${GRANTED}:7000`,
    ],
    deny: ["no.w.example", "part.example/admin/**"],
  };
}

/** What names without a mirror resolve to outside, before and after they are bound anew. */
export const ADDRESSES: Readonly<Record<string, readonly [string, string]>> = {
  "rebind.example": ["127.0.0.1", "127.0.0.2"],
  "granted.example": ["127.0.0.1", "127.0.0.1"],
  "inner.example": ["127.0.0.1", "127.0.0.1"],
};
