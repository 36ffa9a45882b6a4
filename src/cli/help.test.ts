import { describe, expect, test } from "vitest";
import { renderVerb } from "./help.ts";
import { VERBS } from "./verbs.ts";

describe.each(Object.entries(VERBS))("the page of %s", (name, entry) => {
  test("has one example, which is a command line of it, and says what each flag is for", async () => {
    const verb = await entry.load();
    const page = renderVerb(verb);
    expect(page.match(/^Example: .+$/gm)).toHaveLength(1);
    expect(verb.page.example).toMatch(new RegExp(`^cattlegrid ${name}\\b`));
    for (const flag of Object.values(verb.grammar.flags)) expect(flag.help).not.toBe("");
  });
});
